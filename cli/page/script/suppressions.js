// Suppressions.

let suppressions = [];
/** The id to go on after. */
let nextSuppression = null;
let suppressionTimer;
/** The topic that the listed people left; without one, those are listed who are suppressed for all mail. */
let suppressionTopic = '';
async function loadSuppressions(after) {
  try {
    const topic = suppressionTopic && `&topic=${encodeURIComponent(suppressionTopic)}`;
    const page = await call('GET', `/suppressions?limit=100${topic}${after ? `&after=${encodeURIComponent(after)}` : ''}`);
    suppressions = after ? [...suppressions, ...page.data] : page.data;
    nextSuppression = page.has_more ? page.next ?? page.data.at(-1)?.id ?? null : null;
  } catch (error) { failed(error); return; }
  drawSuppressions();
}
function drawSuppressions() {
  const words = $('suppression-search').value.toLowerCase().split(/\s+/).filter(Boolean);
  const text = (each) => [each.email, each.reason, each.origin, each.note, each.subtype, each.bounce_reason?.replaceAll('_', ' ')].join(' ').toLowerCase();
  const rows = suppressions.filter((each) => words.every((word) => text(each).includes(word)));
  const lifted = focused()?.dataset?.lift;
  $('suppression-rows').replaceChildren(...rows.map((each) => make('tr', {},
    make('td', {}, each.email, each.note ? make('div', { class: 'quiet small' }, each.note) : null),
    make('td', {}, chip(each.reason, { bounce: 'bad', complaint: 'bad', blocked: 'warn', soft: 'warn' }[each.reason] ?? ''), each.subtype ? make('span', { class: 'quiet small' }, ` ${each.subtype}`) : null,
      each.bounce_reason ? make('div', { class: 'quiet small' }, each.bounce_reason.replaceAll('_', ' ')) : null),
    make('td', {}, time(each.since), each.expires_at ? make('div', { class: 'quiet small' }, 'until ', time(each.expires_at)) : null),
    make('td', {}, each.origin),
    make('td', {}, make('button', { 'data-lift': each.id, 'aria-label': `Lift ${each.email}`, onclick: () => lift(each) }, 'Lift')))));
  if (lifted) ($('suppression-rows').querySelector(`[data-lift="${CSS.escape(lifted)}"]`) ?? $('suppression-rows').querySelector('button') ?? $('suppression-search')).focus();
  $('suppression-rows').closest('table').hidden = rows.length === 0;
  $('no-suppressions').hidden = rows.length > 0;
  const none = suppressionTopic ? `Nobody has left the topic ${suppressionTopic}.` : 'No address is suppressed.';
  $('no-suppressions').textContent = suppressions.length ? 'None of those that are listed matches.' : none;
  $('suppressions-of').textContent = suppressionTopic ? `Left the topic ${suppressionTopic}` : 'Suppressed addresses';
  $('suppress-button').textContent = suppressionTopic ? 'Unsubscribe' : 'Suppress';
  for (const each of $('suppress').querySelectorAll('[data-for-all-mail]')) each.hidden = suppressionTopic !== '';
  $('more-suppressions').hidden = nextSuppression === null;
}
async function lift(suppression) {
  try {
    const topic = suppressionTopic && `?topic=${encodeURIComponent(suppressionTopic)}`;
    const { ses_list: list, message } = await call('DELETE', `/suppressions/${encodeURIComponent(suppression.id)}${topic}`);
    const onSes = { lifted: 'It is no longer on SES’s list either.', pending: 'The next report removes it from SES’s list.', kept: 'It stays on SES’s list, which cannot be changed in the sandbox.' };
    toast(suppressionTopic ? `${suppression.email} gets mail of the topic ${suppressionTopic} again.` : `${suppression.email} is lifted. ${onSes[list] ?? message ?? ''}`);
  } catch (error) { failed(error); }
  await loadSuppressions();
}
$('suppress').addEventListener('submit', async (event) => {
  event.preventDefault();
  const form = event.target;
  const { email, reason, note } = Object.fromEntries(new FormData(form));
  try {
    const wanted = suppressionTopic ? { email, topic: suppressionTopic } : { email, reason, ...(note && { note }) };
    await call('POST', '/suppressions', wanted);
    toast(suppressionTopic ? `${email} has left the topic ${suppressionTopic}.` : `${email} is suppressed.`);
    form.reset();
  } catch (error) { failed(error); }
  await loadSuppressions();
});
$('suppression-search').addEventListener('input', drawSuppressions);
$('suppression-topic').addEventListener('change', async () => {
  if (!$('suppression-topic').reportValidity()) return;
  suppressionTopic = $('suppression-topic').value;
  suppressions = [];
  await loadSuppressions();
});
$('more-suppressions').addEventListener('click', () => loadSuppressions(nextSuppression));
