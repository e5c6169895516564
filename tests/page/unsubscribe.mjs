// The pages behind an unsubscribe link, each as a person comes to it.

const HEADING = {
  en: { ask: 'Unsubscribe from “weekly news”?', left: 'You have unsubscribed', back: 'You are subscribed again', wrong: 'This link does not work', unknown: 'Please try again' },
  ja: { ask: '「weekly news」の配信を停止しますか？', left: '配信を停止しました', back: '配信を再開しました', wrong: 'このリンクはご利用になれません', unknown: 'もう一度お試しください' },
  ko: { ask: '‘weekly news’ 메일 수신을 거부하시겠습니까?', left: '수신 거부가 완료되었습니다', back: '다시 구독되었습니다', wrong: '사용할 수 없는 링크입니다', unknown: '다시 시도해 주십시오' },
};

/** What a browser in each language asks for. */
export const LANGUAGES = { en: 'en-US', ja: 'ja-JP', ko: 'ko-KR' };

/** Sends a mail of a topic, and returns the URL in its header. */
export async function link(okite, to, topic = 'weekly-news') {
  const { id } = await okite.send({ to, subject: 'News', okite_unsubscribe: topic });
  const mail = await okite.call('GET', `/_local/outbox/${id}`);
  return mail.headers['List-Unsubscribe'].slice(1, -1);
}

/** Lets the store of choices fail until the function that is returned is called. */
async function storeIsDown(okite) {
  await okite.call('POST', '/_local/faults', { operation: 'UpdateItem', table: 'SuppressionsTable', for_ms: 600_000, error: 'InternalServerError' });
  return () => okite.call('DELETE', '/_local/faults');
}

/** Comes to every page in turn: `ask`, `left`, `back`, `unknown` and `wrong`. Calls `look` on each with its name. */
export async function eachPage(okite, page, url, language, look) {
  const heading = (name) => page.getByRole('heading', { level: 1, name: HEADING[language][name], exact: true });
  const at = async (name) => {
    await heading(name).waitFor();
    await look(name, heading(name));
  };
  await page.goto(url);
  await at('ask');
  await page.getByRole('button').click();
  await at('left');
  await page.getByRole('button').click();
  await at('back');
  const repaired = await storeIsDown(okite);
  try {
    await page.getByRole('button').click();
    await at('unknown');
  } finally {
    await repaired();
  }
  await page.getByRole('button').click();
  await heading('ask').waitFor();
  await page.goto(`${url}x`);
  await at('wrong');
}
