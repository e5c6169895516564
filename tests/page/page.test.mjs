// The page of `okite up`, as a person meets it in a browser. Every test fails on an error in the console and on a
// request to another origin; those about hostile mails say what they expect of both themselves.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { browser, eventually, Okite } from './okite.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let okite;
let chromium;
/** A server of somebody else's, and what it was asked for. */
let elsewhere;
const asked = [];

before(async () => {
  const server = createServer((request, response) => {
    // A page that is opened on purpose has its icon asked for.
    if (request.url !== '/favicon.ico') asked.push(request.url);
    response.end();
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  server.unref();
  elsewhere = `http://127.0.0.1:${server.address().port}`;
  [okite, chromium] = await Promise.all([Okite.start(), browser()]);
  await okite.call('PUT', '/_local/account', { max_send_rate: 5000 });
  await okite.call('POST', '/_local/schedule');
});
after(async () => {
  await chromium?.close();
  await okite?.stop();
});

/** Opens the page for a test, and tells afterwards what it must not have done. */
async function look(at, options, run) {
  if (typeof options === 'function') return look(at, {}, options);
  const { of = okite, expects = null, ...context } = options;
  const visitor = await chromium.newContext({ viewport: { width: 1240, height: 760 }, ...context });
  const page = await visitor.newPage();
  const errors = [];
  const requests = [];
  page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
  page.on('pageerror', (error) => errors.push(error.message));
  visitor.on('request', (request) => requests.push(request));
  try {
    await page.goto(`${of.url}/#/${at}`);
    await page.locator('#link.live').waitFor();
    await run(page, { errors, requests });
    assert.deepEqual(foreign(requests, of), [], 'a request went to another origin');
    assert.deepEqual(errors.filter((error) => !expects?.test(error)), []);
  } finally {
    await visitor.close();
  }
}

/** What went to another origin; a browser also tells of what a policy kept it from asking for. */
function foreign(requests, of) {
  const isBlocked = (request) => request.failure()?.errorText === 'csp';
  return requests.filter((request) => !isBlocked(request)).map((request) => request.url()).filter((url) => !url.startsWith(of.url) && !url.startsWith('data:'));
}

const rows = (page) => page.getByRole('option');
const to = (name) => `success+${name}@simulator.amazonses.com`;

/** Empties the outbox. */
const empty = () => okite.call('DELETE', '/_local/outbox');

test('mails appear as they come, newest first, with their fate', async () => {
  await empty();
  await look('outbox', async (page) => {
    await page.getByText('No mails yet.').waitFor();
    await okite.send({ subject: 'The first', to: ['Zoë <success+zoe@simulator.amazonses.com>'] });
    await page.getByRole('option', { name: 'The first' }).getByText('delivered').waitFor();
    await okite.send({ subject: 'The second', to: 'bounce+page@simulator.amazonses.com', tags: [{ name: 'kind', value: 'receipt' }] });
    await page.getByRole('option', { name: 'The second' }).getByText('bounced').waitFor();
    const texts = await rows(page).allInnerTexts();
    assert.match(texts[0], /The second[^]*kind:receipt/);
    assert.match(texts[1], /Acme → Zoë\n[^]*The first/);
    assert.equal(await page.locator('#mail-count').innerText(), '2');
    await eventually('the newcomer is announced', async () => /^New mail: The second, to|^2 new mails/.test(await page.locator('#news').textContent()));
  });
});

test('a mail is found, opened, read and closed by keyboard alone', async () => {
  await empty();
  for (const subject of ['Alpha', 'Beta', 'Gamma']) await okite.send({ subject, to: to(subject), html: `<p>${subject} in HTML</p>`, text: `${subject} in text` });
  await look('outbox', async (page) => {
    const focused = () => page.evaluate(() => document.activeElement.innerText ?? '');
    await rows(page).nth(2).waitFor();
    await page.keyboard.press('j');
    assert.match(await focused(), /Gamma/);
    await page.keyboard.press('j');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('k');
    assert.match(await focused(), /Beta/);
    await page.keyboard.press('Enter');
    await page.getByRole('heading', { name: 'Beta' }).waitFor();
    await eventually('the mail has the focus', async () => (await focused()) === 'Beta');
    await page.frameLocator('iframe').getByText('Beta in HTML').waitFor();
    for (let presses = 0; !(await focused()).startsWith('HTML'); presses += 1) {
      assert.ok(presses < 6, 'Tab does not come to the parts');
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('ArrowRight');
    await page.getByText('Beta in text').last().waitFor();
    await page.keyboard.press('j');
    await page.getByRole('heading', { name: 'Alpha' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('heading', { name: 'Alpha' }).waitFor({ state: 'detached' });
    assert.match(await focused(), /Alpha/);
    await page.keyboard.press('/');
    await page.keyboard.type('gam');
    await rows(page).nth(1).waitFor({ state: 'detached' });
    await page.keyboard.press('Enter');
    assert.match(await focused(), /Gamma/);
    await page.keyboard.press('2');
    await page.getByRole('heading', { name: 'Mails that wait' }).waitFor();
    await page.keyboard.press('3');
    await page.getByRole('heading', { name: 'Suppressed addresses' }).waitFor();
    await page.keyboard.press('5');
    await page.getByRole('heading', { name: 'Webhooks' }).waitFor();
    await page.keyboard.press('?');
    await page.getByRole('dialog', { name: 'Keys' }).waitFor();
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
  });
});

test('a mail shows its parts, its links and what became of it', async () => {
  await empty();
  const content = Buffer.from('GIF89a').toString('base64');
  await okite.send({
    to: [to('anna')], cc: ['bounce+cc@simulator.amazonses.com'], reply_to: ['"Care, Team" <care@example.com>'], subject: 'Parts', headers: { 'X-Kind': 'receipt' },
    html: `<img src="cid:dot"><img src="${elsewhere}/remote.gif"><a href="https://example.com/confirm?a=1&amp;b=2">Confirm</a>`, text: 'Plain',
    attachments: [{ filename: 'dot.gif', content, content_type: 'image/gif', content_id: 'dot' }, { filename: 'Märchen.txt', content: Buffer.from('once').toString('base64') }],
  });
  await look('outbox', { expects: /remote\.gif' violates .* Content Security Policy/ }, async (page, { requests }) => {
    await rows(page).first().click();
    await page.getByText('1 remote image is not loaded.').waitFor();
    assert.equal(await page.frameLocator('iframe').locator('img').first().getAttribute('src'), `data:image/gif;base64,${content}`);
    const part = page.locator('#part');
    await page.getByRole('tab', { name: /^Headers/ }).click();
    await part.getByText('X-Kind').waitFor();
    await page.locator('.people').getByText('Care, Team <care@example.com>').waitFor();
    await page.getByRole('tab', { name: /^Attachments/ }).click();
    const [download] = await Promise.all([page.waitForEvent('download'), part.getByRole('link', { name: 'Download' }).last().click()]);
    assert.equal(download.suggestedFilename(), 'Märchen.txt');
    assert.equal(readFileSync(await download.path(), 'utf8'), 'once');
    await page.getByRole('tab', { name: /^Links/ }).click();
    const link = part.getByRole('link');
    assert.deepEqual([await link.getAttribute('href'), await link.getAttribute('rel')], ['https://example.com/confirm?a=1&b=2', 'noopener noreferrer']);
    await page.getByRole('tab', { name: 'What became of it' }).click();
    await part.getByText('550 5.1.1').waitFor();
    await page.locator('#fate').getByText('bounced').waitFor();
    await page.getByRole('tab', { name: 'JSON' }).click();
    assert.match(await part.innerText(), /"ses_message_id": "0100/);
    assert.deepEqual(asked, []);
    assert.ok(requests.some((request) => request.url().endsWith('/html')));
  });
});

/** A raw mail with HTML and an image. */
const rawMail = (subject, html) => [`From: =?utf-8?Q?Zo=C3=AB?= <zoe@example.com>`, `To: Team <team@example.com>`, `Subject: ${subject}`, 'X-Kind: receipt',
  'Bcc: secret@example.com', 'MIME-Version: 1.0', 'Content-Type: multipart/related; boundary=b', '', '--b', 'Content-Type: text/html; charset=utf-8', '', html,
  '--b', 'Content-Type: image/gif', 'Content-ID: <dot>', 'Content-Transfer-Encoding: base64', '', 'R0lGODlh', '--b--', ''].join('\r\n');

test('a raw mail shows its parts, its envelope and its source', async () => {
  await empty();
  const source = rawMail('=?utf-8?Q?Gr=C3=BC=C3=9Fe?=', '<p>Raw and <b>rendered</b><img src="cid:dot">');
  const id = await okite.sendRaw(source, { FromEmailAddress: 'bounces@example.com', Destination: { ToAddresses: [to('raw')] } });
  const received = source.replace('Bcc: secret@example.com\r\n', '');
  await look('outbox', async (page) => {
    await page.getByRole('option', { name: 'Grüße' }).click();
    await page.getByRole('heading', { name: 'Grüße' }).waitFor();
    const people = page.locator('.people');
    await people.getByText('Zoë <zoe@example.com>').waitFor();
    await people.getByText('Team <team@example.com>').waitFor();
    await people.getByText(`bounces@example.com → ${to('raw')}`).waitFor();
    await page.locator('#mail-head').getByText('raw', { exact: true }).waitFor();
    const frame = page.frameLocator('#part iframe');
    await frame.getByText('rendered').waitFor();
    assert.equal(await frame.locator('img').getAttribute('src'), 'data:image/gif;base64,R0lGODlh');
    await page.getByRole('tab', { name: 'Headers' }).click();
    await page.locator('#part').getByText('X-Kind').waitFor();
    await page.getByRole('tab', { name: 'Source', exact: true }).click();
    await page.locator('#source').getByText('--b--').waitFor();
    assert.equal((await page.locator('#source').textContent()).replaceAll('\r\n', '\n'), received.replaceAll('\r\n', '\n'));
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download .eml' }).click()]);
    assert.equal(download.suggestedFilename(), `${id}.eml`);
    assert.equal(readFileSync(await download.path(), 'utf8'), received);
  });
});

test('a simple mail has a source that is built, and its HTML as it was written', async () => {
  await empty();
  await okite.send({ subject: 'Simple', html: '<p>Simple <b>HTML</b></p>' });
  await look('outbox', async (page) => {
    await rows(page).first().click();
    await page.getByRole('tab', { name: 'Source', exact: true }).click();
    await page.locator('#source').getByText('Subject: Simple').waitFor();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'Download .eml' }).click()]);
    assert.match(readFileSync(await download.path(), 'utf8'), /^Date: [^]*\r\n\r\n[^]*<p>Simple <b>HTML<\/b><\/p>/);
    await page.getByRole('tab', { name: 'HTML source' }).click();
    assert.equal(await page.locator('#html-source').innerText(), '<p>Simple <b>HTML</b></p>');
  });
});

test('a mail is looked at before its recipients look', async () => {
  await empty();
  await okite.send({ html: '<a href="http://localhost:3000/confirm">Confirm</a><a href="https://example.com">Fine</a><img src="cid:x">',
    headers: { 'List-Unsubscribe': '<https://shop.example.com/u/7>', 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' } });
  await look('outbox', { expects: /cid:x' violates .* Content Security Policy/ }, async (page) => {
    await rows(page).first().click();
    await page.getByRole('tab', { name: 'Checks' }).click();
    const checks = page.locator('#checks');
    await checks.getByText('mailbox providers can offer one click').waitFor();
    await checks.getByRole('row', { name: 'Confirm' }).getByText('fault', { exact: true }).waitFor();
    await checks.getByRole('row', { name: 'Fine' }).getByText('good', { exact: true }).waitFor();
    await checks.getByRole('listitem').getByText('cid:x').waitFor();
  });
});

test('mails are found by filters, and a wrong filter says what is right', async () => {
  await empty();
  await okite.send({ subject: 'Receipt 1', to: to('anna'), tags: [{ name: 'kind', value: 'receipt' }] });
  await okite.send({ subject: 'Receipt 2', to: 'bounce+filters@simulator.amazonses.com', attachments: [{ filename: 'a.txt', content: 'eA==' }] });
  await look('outbox', async (page) => {
    await page.getByRole('option', { name: 'Receipt 2' }).getByText('bounced').waitFor();
    const finds = async (typed, subjects) => {
      await page.getByLabel('Search mails').fill(typed);
      await eventually(`${typed} finds ${subjects}`, async () => (await page.locator('#mail-list .subject').allInnerTexts()).join() === subjects);
    };
    await finds('state:bounced', 'Receipt 2');
    await finds('to:anna tag:kind:receipt', 'Receipt 1');
    await finds('has:attachment is:unread', 'Receipt 2');
    await finds('subject:"receipt 1"', 'Receipt 1');
    await finds('after:2020-01-01', 'Receipt 2,Receipt 1');
  });
  // A browser logs every answer of 400.
  await look('outbox', { expects: /400/ }, async (page) => {
    for (const [typed, said] of [['sender:anna', 'There is no filter'], ['before:yesterday', 'is no date'], ['"open', 'A quotation mark is open']]) {
      await page.getByLabel('Search mails').fill(typed);
      await page.locator('#search-note').getByText(said).waitFor();
      await eventually('no row is below the note', async () => (await rows(page).count()) === 0);
      assert.equal(await page.locator('#no-mails').isVisible(), false);
    }
    await page.getByLabel('Search mails').fill('');
    await page.locator('#search-note').waitFor({ state: 'hidden' });
    await eventually('all mails are listed again', async () => (await rows(page).count()) === 2);
  });
});

test('several mails are chosen, marked and deleted by keyboard, and all is kept over a restart', async () => {
  const own = await Okite.start();
  try {
    for (const subject of ['Kept', 'Second', 'First']) await own.send({ subject, to: subject === 'Kept' ? 'bounce+kept@simulator.amazonses.com' : to('several') });
    await look('outbox', { of: own }, async (page) => {
      await page.getByRole('option', { name: 'Kept' }).getByText('bounced').waitFor();
      assert.equal(await page.locator('#mail-list .fresh').count(), 3);
      for (const key of ['j', 'x', 'j', 'x']) await page.keyboard.press(key);
      await page.getByText('2 chosen').waitFor();
      await page.keyboard.press('u');
      await eventually('two are read', async () => (await page.locator('#mail-list .fresh').count()) === 1);
      await page.keyboard.press('Delete');
      await page.getByRole('heading', { name: 'Delete 2 mails?' }).waitFor();
      await page.locator('#confirm-yes').click();
      await eventually('one is left', async () => (await rows(page).count()) === 1);
      // The focus goes on to the mail that is left, which Delete would delete without a question.
      await page.keyboard.press('j');
      assert.match(await page.evaluate(() => focused().innerText), /Kept/);
    });
    await own.end();
    await own.again();
    await look('outbox', { of: own }, async (page) => {
      const kept = page.getByRole('option', { name: 'Kept' });
      await kept.getByText('bounced').waitFor();
      assert.equal(await page.locator('#mail-list .fresh').count(), 1);
      await kept.click();
      await page.locator('#fate').getByText('bounced').waitFor();
      await eventually('it is read', async () => (await page.locator('#mail-list .fresh').count()) === 0);
      await page.getByRole('button', { name: 'Mark unread' }).click();
      await eventually('it is unread', async () => (await page.locator('#mail-list .fresh').count()) === 1);
      await page.getByRole('button', { name: 'Delete', exact: true }).click();
      await page.getByText('No mails yet.').waitFor();
    });
  } finally {
    await own.stop();
  }
});

test('a thousand mails have a few nodes, and the oldest is a key away', async () => {
  await empty();
  const source = (nth) => `From: hello@example.com\r\nTo: ${to('many')}\r\nSubject: Mail ${nth}.\r\n\r\nIt works.`;
  await okite.sendRaw(source(0));
  for (let from = 1; from < 1000; from += 37) await Promise.all(Array.from({ length: Math.min(37, 1000 - from) }, (_, nth) => okite.sendRaw(source(from + nth))));
  await look('outbox', async (page) => {
    await rows(page).nth(5).waitFor();
    await page.keyboard.press('j');
    await page.keyboard.press('End');
    await page.getByRole('option', { name: 'Mail 0.' }).waitFor();
    await eventually('the oldest has the focus', () => page.evaluate(() => focused().innerText.includes('Mail 0.') && focused().ariaPosInSet === '1000'));
    assert.ok((await rows(page).count()) < 60, `${await rows(page).count()} nodes`);
    // Whoever reads below stays there when a mail comes.
    await okite.send({ subject: 'Newcomer' });
    await eventually('the newcomer is counted', async () => (await page.locator('#mail-count').innerText()) === '1,001');
    await eventually('the focus is on the same mail', () => page.evaluate(() => focused().innerText.includes('Mail 0.') && focused().ariaPosInSet === '1001'));
    await page.keyboard.press('Home');
    await page.getByRole('option', { name: 'Newcomer' }).waitFor();
  });
  await empty();
});

test('a hostile raw mail does nothing', async () => {
  await empty();
  const evil = '<img src=x onerror="window.pwned=1">';
  const html = `<p id="seen">Hostile</p><script>top.pwned = 1</script>${evil}<img src="${elsewhere}/pixel.gif"><a id="link" target="_top" href="${elsewhere}/link">away</a>`;
  await okite.sendRaw(rawMail(`${evil} subject`, html));
  await look('outbox', { expects: /Content Security Policy|sandbox/i }, async (page) => {
    await page.addInitScript(() => { window.pwned = 0; });
    await page.reload();
    await rows(page).first().click();
    const frame = page.frameLocator('#part iframe');
    await frame.locator('#seen').waitFor();
    const address = page.url();
    await frame.locator('#link').click({ noWaitAfter: true });
    for (const name of [/^Headers/, /^Source/, /^JSON/]) await page.getByRole('tab', { name }).click();
    await page.getByRole('tab', { name: /^Source/ }).click();
    await page.locator('#source').getByText('onerror').waitFor();
    await page.evaluate(async () => { for (let round = 0; round < 5; round += 1) { await fetch('/_local/account'); await new Promise(requestAnimationFrame); } });
    assert.equal(await page.evaluate(() => window.pwned), 0, 'a script ran');
    assert.equal(page.url(), address, 'the page was left');
    assert.deepEqual(asked, [], 'a request went out');
  });
});

test('a hostile mail does nothing', async () => {
  await empty();
  const html = `<!doctype html><html><head><base href="${elsewhere}/" target="_top"><meta http-equiv="refresh" content="0;url=${elsewhere}/refresh">
    <link rel="stylesheet" href="${elsewhere}/style.css"><style>@import "${elsewhere}/import.css"; body { background: url(${elsewhere}/background.png) }
    @font-face { font-family: x; src: url(${elsewhere}/font) } p { font-family: x }</style><script>top.pwned = 1; parent.document.title = 'pwned'; document.title = 'ran'</script></head>
    <body onload="top.pwned = 1"><p id="seen">Hostile</p><img src="x" onerror="top.pwned = 1; document.body.dataset.ran = 1"><img src="${elsewhere}/pixel.gif">
    <svg onload="top.pwned = 1"><script>top.pwned = 1</script><image href="${elsewhere}/svg.png"/></svg><iframe src="${elsewhere}/frame"></iframe><object data="${elsewhere}/object"></object>
    <video src="${elsewhere}/video" autoplay></video><a id="link" target="_top" href="${elsewhere}/link">away</a><a id="script" href="javascript:top.pwned=1">script</a>
    <a id="self" href="${okite.url}/_local/outbox">self</a><form id="form" action="${elsewhere}/form" method="post"><button id="send">send</button></form></iframe></body></html>`;
  const evil = '<img src=x onerror="window.pwned=1">';
  await okite.send({ subject: `${evil} subject`, from: `"${evil.replaceAll('"', "'")}" <hello@example.com>`, to: to('hostile'), html, text: `${evil} text`, headers: { 'X-Evil': evil } });
  await look('outbox', { expects: /Content Security Policy|sandbox/i }, async (page, { requests }) => {
    await page.addInitScript(() => { window.pwned = 0; });
    await page.reload();
    await rows(page).first().click();
    const frame = page.frameLocator('#part iframe');
    await frame.locator('#seen').waitFor();
    const address = page.url();
    for (const id of ['link', 'script', 'self', 'send']) await frame.locator(`#${id}`).click({ noWaitAfter: true });
    // What was going to happen has had its time when another answer has come through the same browser.
    await page.evaluate(async () => { for (let round = 0; round < 5; round += 1) { await fetch('/_local/account'); await new Promise(requestAnimationFrame); } });
    for (const name of [/^Text/, /^Headers/, /^JSON/, /^What became/]) await page.getByRole('tab', { name }).click();
    assert.equal(await page.evaluate(() => window.pwned), 0, 'a script ran');
    await page.getByRole('tab', { name: 'HTML' }).first().click();
    await frame.locator('#seen').waitFor();
    assert.equal(await frame.locator('body').getAttribute('data-ran'), null, 'a script ran in the frame');
    assert.notEqual(await page.title(), 'pwned');
    assert.equal(page.url(), address, 'the page was left');
    assert.equal(page.context().pages().length, 1, 'a window was opened');
    assert.deepEqual(asked, [], 'a request went out');
    assert.ok(!requests.some((request) => request.url() === `${okite.url}/_local/outbox`), 'a link was followed');
    // That nothing came is worth something only if what is asked for comes.
    await page.context().newPage().then((other) => other.goto(`${elsewhere}/control`));
    assert.ok(asked.splice(0).includes('/control'));
    requests.splice(0);
  });
});

test('the frame of a mail is harmless when it is opened by itself', async () => {
  await empty();
  await okite.send({ subject: 'Alone', to: to('alone'), html: '<title>quiet</title><p>Alone</p><script>document.title = "ran"</script><img src="' + elsewhere + '/pixel.gif">' });
  const { data: [mail] } = await okite.call('GET', '/_local/outbox');
  const page = await chromium.newPage();
  const requests = [];
  page.on('request', (request) => requests.push(request));
  await page.goto(`${okite.url}/_local/outbox/${mail.id}/html`);
  await page.getByText('Alone').waitFor();
  assert.equal(await page.title(), 'quiet');
  assert.deepEqual(foreign(requests, okite), []);
  assert.deepEqual(asked, []);
  await page.close();
});

test('a mail of five megabytes and fifty long names is shown', async () => {
  await empty();
  const many = Array.from({ length: 50 }, (_, index) => `"${'Long Name '.repeat(12)}${index}" <success+${index}@simulator.amazonses.com>`);
  await okite.send({ subject: 'W'.repeat(900), to: many, html: `<p id="seen">${'<i>many</i> words '.repeat(290_000)}</p>`, text: 'short' });
  await look('outbox', { viewport: { width: 360, height: 740 } }, async (page) => {
    await rows(page).first().click();
    await page.frameLocator('iframe').locator('#seen').waitFor();
    await sideways(page);
  });
});

test('the outbox is emptied after a question', async () => {
  await empty();
  await okite.send({ subject: 'Gone soon' });
  await look('outbox', async (page) => {
    await rows(page).first().waitFor();
    await page.getByRole('button', { name: 'Delete all' }).click();
    await page.getByRole('button', { name: 'Cancel' }).click();
    assert.equal((await okite.call('GET', '/_local/outbox')).total, 1);
    await page.getByRole('button', { name: 'Delete all' }).click();
    await page.locator('#confirm-yes').click();
    await page.getByText('No mails yet.').waitFor();
    assert.deepEqual((await okite.call('GET', '/_local/outbox')).data, []);
  });
});

test('mails that wait come by themselves, say why, and are called back or sent at once', async () => {
  const schedule = (subject, hours) => okite.send({ subject, to: to('waits'), scheduled_at: `in ${hours} hours` });
  const { id: calledBack } = await schedule('Called <b>back</b>', 5);
  const { id: atOnce } = await schedule('At once', 6);
  await look('queue', async (page) => {
    const row = (name) => page.locator('#queue-rows tr').filter({ hasText: name });
    await row('Called <b>back</b>').getByText('for its time').waitFor();
    const { id: later } = await schedule('Later', 7);
    await row('Later').getByText('scheduled', { exact: true }).waitFor();
    // Those that are due first come first.
    assert.deepEqual((await page.locator('#queue-rows tr td:first-child').allInnerTexts()).map((text) => text.split('\n')[0]), ['Called <b>back</b>', 'At once', 'Later']);
    assert.equal(await page.locator('#queue-count').innerText(), '3');
    await page.getByRole('button', { name: 'Cancel: Called <b>back</b>' }).click();
    await row('Called <b>back</b>').waitFor({ state: 'detached' });
    assert.equal((await okite.call('GET', `/emails/${calledBack}`)).last_event, 'canceled');
    await page.getByRole('button', { name: 'Send now: At once' }).click();
    await page.getByRole('button', { name: 'Send now: At once' }).waitFor({ state: 'detached' });
    assert.ok(Date.parse((await okite.call('GET', `/emails/${atOnce}`)).scheduled_at) <= Date.now());
    await page.getByLabel('Mails to show').selectOption('sending');
    await page.getByText('None of the mails that wait matches.').waitFor();
    await page.getByLabel('Mails to show').selectOption('scheduled');
    await page.getByLabel('Search the queue').fill('later');
    assert.equal(await page.locator('#queue-rows tr').count(), 1);
    // Somebody else calls it back.
    await okite.call('POST', `/emails/${later}/cancel`);
    await row('Later').waitFor({ state: 'detached' });
  });
});

test('a long queue is shown page by page, and a mail that is called back or sent leaves it at once', async () => {
  const own = await Okite.start();
  const row = (page, number) => page.locator('#queue-rows tr').filter({ hasText: `Waits ${number}.` });
  const waits = (number) => ({ from: 'Acme <hello@example.com>', to: to(`waits${number}`), subject: `Waits ${number}.`, text: 'It works.', scheduled_at: 'in 3 hours' });
  try {
    // The API lists 100 at a time.
    for (const from of [0, 100, 200]) await own.call('POST', '/emails/batch', Array.from({ length: from < 200 ? 100 : 30 }, (_, number) => waits(from + number)));
    await look('queue', { of: own }, async (page) => {
      const shown = page.locator('#queue-rows tr');
      const more = page.getByRole('button', { name: /^Show more/ });
      await eventually('all are counted', async () => (await page.locator('#queue-count').innerText()) === '230');
      assert.equal(await shown.count(), 100);
      for (const [name, all] of [['Show more: these are 100 of 230', 200], ['Show more: these are 200 of 230', 230]]) {
        assert.equal(await more.innerText(), name);
        await more.click();
        await eventually('more are shown', async () => (await shown.count()) === all);
      }
      assert.ok(await more.isHidden());
      // A search begins anew, and finds those that were not shown.
      await page.getByLabel('Search the queue').fill('waits');
      await eventually('the first are shown', async () => (await shown.count()) === 100);
      await page.getByLabel('Search the queue').fill('waits 229.');
      await eventually('one is shown', async () => (await shown.count()) === 1);
      await page.getByLabel('Search the queue').fill('');
      // From here on the list has no answer, as while it is read again: each mail is asked for by itself.
      await page.route('**/emails?*', () => {});
      await page.getByRole('button', { name: 'Cancel: Waits 7.' }).click();
      await row(page, 7).waitFor({ state: 'detached' });
      // The page asks for the mail, and SES takes it before the answer comes, which is of the moment before.
      const isOne = (request) => request.method() === 'GET' && /\/emails\/[0-9a-f-]{36}$/.test(request.url());
      await page.route(/\/emails\/[0-9a-f-]{36}$/, async (route) => {
        if (!isOne(route.request())) { await route.continue(); return; }
        const response = await route.fetch();
        const mail = await response.json();
        await row(page, 8).waitFor({ state: 'detached' });
        await route.fulfill({ response, json: { ...mail, okite_state: 'sending', okite_deadline: mail.created_at } });
      });
      const answered = page.waitForResponse((response) => isOne(response.request()));
      await page.getByRole('button', { name: 'Send now: Waits 8.' }).click();
      await row(page, 8).waitFor({ state: 'detached' });
      await answered;
      await page.evaluate(() => new Promise((done) => { setTimeout(done, 300); }));
      assert.equal(await row(page, 8).count(), 0);
      await eventually('two are gone', async () => (await page.locator('#queue-count').innerText()) === '228');
      // The mail beside them is as it was.
      await row(page, 9).getByRole('button', { name: 'Send now' }).waitFor();
    });
    await look('outbox', { of: own }, async (page) => {
      let held = [];
      await page.route('**/emails?*', (route) => (held && route.request().url().includes('after=') ? held.push(route) : route.continue()));
      await page.goto(`${own.url}/#/queue`);
      await page.reload();
      // The first page is shown while the others are on their way.
      await row(page, 229).waitFor();
      assert.equal(await page.locator('#queue-count').innerText(), '100');
      await eventually('the next page is asked for', () => held.length > 0);
      const late = held;
      held = null;
      for (const route of late) await route.continue();
      await eventually('all are counted', async () => (await page.locator('#queue-count').innerText()) === '228');
    });
  } finally {
    await own.stop();
  }
});

test('suppressions are listed, come by themselves, are added and lifted', async () => {
  await look('suppressions', async (page) => {
    await okite.send({ to: 'complaint+page@simulator.amazonses.com' });
    const complained = page.getByRole('row', { name: 'complaint+page@' });
    await complained.getByText('abuse').waitFor();
    await page.getByLabel('Address').fill('anna+page@example.net');
    await page.getByLabel('Note').fill('asked <b>us</b>');
    await page.getByRole('button', { name: 'Suppress' }).click();
    await page.getByRole('row', { name: 'anna+page@example.net' }).getByText('asked <b>us</b>').waitFor();
    await page.getByRole('button', { name: 'Lift complaint+page@simulator.amazonses.com' }).click();
    await complained.waitFor({ state: 'detached' });
    const listed = await okite.call('GET', '/suppressions');
    assert.ok(!listed.data.some((each) => each.email === 'complaint+page@simulator.amazonses.com'));
    await page.keyboard.press('Escape');
    await page.getByLabel('Search suppressions').fill('nobody at all');
    await page.getByText('None of those that are listed matches.').waitFor();
  });
});

test('a long address leaves the other columns their room, and a time of another day has its date', async () => {
  await look('suppressions', async (page) => {
    const entry = { object: 'suppression', id: '1', email: `${'long.'.repeat(48)}@example.net`, reason: 'bounce', origin: 'import', since: '2025-03-04T10:00:00Z', note: null };
    await page.route('**/suppressions?*', (route) => route.fulfill({ json: { object: 'list', has_more: false, data: [entry, { ...entry, id: '2', email: 'b@example.net', since: new Date().toISOString() }] } }));
    await page.reload();
    const row = page.locator('#suppression-rows tr').first();
    await row.getByText('4 Mar 2025').waitFor();
    assert.doesNotMatch(await page.locator('#suppression-rows tr').last().locator('time').innerText(), /[a-z]/i);
    // All at once, because an event draws the rows anew.
    const widths = await row.locator('td').evaluateAll((cells) => cells.map((cell) => cell.getBoundingClientRect().width));
    for (const [column, least] of [[1, 60], [2, 90], [3, 55]]) {
      assert.ok(widths[column] >= least, `column ${column} has ${widths[column]} pixels`);
    }
    await sideways(page);
  });
});

test('events come as they are handled, and say when they were not', async () => {
  await look('events', async (page) => {
    await okite.send({ subject: 'Watched', to: 'Zoë <bounce+watched@simulator.amazonses.com>' });
    const event = page.getByRole('listitem').filter({ hasText: 'Zoë <bounce+watched@' }).filter({ hasText: 'Permanent · General' });
    await event.getByText('handled', { exact: true }).waitFor();
    await event.locator('summary').press('Enter');
    await event.getByText('"bounceSubType": "General"').waitFor();
    const poison = okite.call('POST', '/_local/sns', { eventType: 'Bounce', mail: { messageId: 'poison' }, bounce: 7 });
    const poisoned = page.getByRole('listitem').filter({ hasText: 'retry queue' });
    await poisoned.waitFor();
    assert.deepEqual(await poison, { delivered: 0, failed: 1 });
    await event.getByRole('link', { name: 'To the mail' }).click();
    await page.getByRole('heading', { name: 'Watched' }).waitFor();
  });
});

/** A receiver of webhooks of an application, which answers with `status`. */
async function receiver(status) {
  const application = { status, received: [] };
  const server = createServer((request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      application.received.push({ id: request.headers['webhook-id'], body: JSON.parse(Buffer.concat(chunks)) });
      response.writeHead(application.status).end(`<b>${application.status}</b> from the application`);
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  server.unref();
  application.url = `http://127.0.0.1:${server.address().port}`;
  return application;
}

test('webhooks are listed with their deliveries, which show their payload and each answer and are replayed', async () => {
  const own = await Okite.start();
  try {
    const application = await receiver(200);
    await look('webhooks', { of: own }, async (page) => {
      await page.getByText('No webhooks yet.').waitFor();
      const created = await own.call('POST', '/webhooks', { endpoint: `${application.url}/hook`, events: ['suppression.added'] });
      await own.call('POST', '/webhooks', { endpoint: `${application.url}/other`, events: ['suppression.removed', 'email.sent', 'email.bounced', 'email.opened'] });
      const row = (path) => page.locator('#webhook-rows tr').filter({ hasText: path });
      await row('/hook').getByText('enabled', { exact: true }).waitFor();
      await row('/other').getByText('and 1 more').waitFor();
      await row('/hook').getByRole('link').click();
      await page.getByText('No event yet that this webhook subscribes to.').waitFor();
      // A process of the send API reads the list of endpoints once in half a minute. The second webhook is newer.
      await own.call('POST', '/suppressions', { email: 'anna@example.net' });
      const delivery = (name) => page.locator('#delivery-list > li').filter({ hasText: name });
      await delivery('anna@example.net').getByText('delivered', { exact: true }).waitFor();
      await delivery('anna@example.net').getByText('1 attempt', { exact: true }).waitFor();
      await delivery('anna@example.net').locator('summary').click();
      await delivery('anna@example.net').getByText('"type": "suppression.added"').waitFor();
      await delivery('anna@example.net').getByText('<b>200</b> from the application').waitFor();
      assert.equal(await delivery('anna@example.net').locator('b').count(), 0, 'an answer became HTML');
      application.status = 500;
      await own.call('POST', '/suppressions', { email: 'bob@example.net' });
      await delivery('bob@example.net').getByText('waiting for the next attempt').waitFor();
      // The newest comes first, and what was opened stays open.
      assert.match(await page.locator('#delivery-list > li').first().innerText(), /bob@example\.net/);
      await delivery('anna@example.net').getByText('"type": "suppression.added"').waitFor();
      application.status = 200;
      const before = application.received.length;
      await page.getByRole('button', { name: 'Replay: suppression.added, anna@example.net' }).click();
      await delivery('anna@example.net').getByText('2 attempts', { exact: true }).waitFor();
      const again = application.received.slice(before).find((each) => each.body.data.email === 'anna@example.net');
      assert.equal(again.id, application.received[0].id);
      await page.getByLabel('Search deliveries').fill('bob');
      await delivery('anna@example.net').waitFor({ state: 'detached' });
      await page.getByLabel('Search deliveries').fill('nobody');
      await page.getByText('No delivery matches.').waitFor();
      await own.call('PATCH', `/webhooks/${created.id}`, { status: 'disabled' });
      await row('/hook').getByText('disabled', { exact: true }).waitFor();
      await row('/other').getByRole('link').click();
      await delivery('bob@example.net').waitFor({ state: 'detached' });
    });
  } finally {
    await own.stop();
  }
});

test('the gauges show the account as it is reported', async () => {
  await look('account', async (page) => {
    const gauge = (name) => page.locator('.gauge').filter({ has: page.getByRole('heading', { name }) });
    await page.getByLabel('Quota in 24 hours').fill('250');
    await page.getByLabel('Standing').selectOption('PROBATION');
    await page.getByRole('button', { name: 'Simulate' }).click();
    await gauge('Quota').getByText(/ of 250/).waitFor();
    await page.locator('#facts').getByText('standing PROBATION').waitFor();
    assert.equal((await okite.call('GET', '/_local/account')).max_24_hour_send, 250);
    await okite.call('PUT', '/_local/account', { max_24_hour_send: 50_000, max_send_rate: 21, enforcement_status: 'HEALTHY' });
    await page.getByRole('button', { name: 'Report now' }).click();
    await gauge('Quota').getByText(/ of 50,000/).waitFor();
    await gauge('Rate').getByText('21 a second').waitFor();
    await okite.call('PUT', '/_local/account', { max_send_rate: 5000 });
    await okite.call('POST', '/_local/schedule');
  });
});

test('rates are shown against their marks, and so is that there are none', async () => {
  await look('account', async (page) => {
    const gauge = (name) => page.locator('.gauge').filter({ has: page.getByRole('heading', { name }) });
    const report = await okite.call('GET', '/quota');
    const rate = { source: 'aws', level: 'warn', warn_at: 0.03, brake_at: 0.045, review_at: 0.05, pause_at: 0.1 };
    let rates = { bounce: null, complaint: null };
    await page.route('**/quota', (route) => route.fulfill({ json: { ...report, rates, headroom: { bounces: { review: 37 } }, verdict: 'warn',
      brake: { level: 'bulk' }, reasons: [{ code: 'bounces', level: 'warn', message: 'Bounces are many.' }], advice: [{ code: 'x', message: 'Clean the list.' }] } }));
    await page.getByRole('button', { name: 'Report now' }).click();
    await gauge('Bounces').getByText('no figures yet').waitFor();
    await gauge('Complaints').getByText('no figures yet').waitFor();
    rates = { bounce: { ...rate, aws: 0.04, estimate: { rate: 0.035, count: 12, sent: 1200, days: 7 } }, complaint: { aws: null, estimate: null, level: 'healthy' } };
    await page.getByRole('button', { name: 'Report now' }).click();
    await gauge('Bounces').getByText('4 %', { exact: true }).waitFor();
    await gauge('Bounces').getByText('12 hard bounces among 1,200 recipients in 7 days').waitFor();
    await gauge('Bounces').getByText('37 more hard bounces until AWS reviews the account').waitFor();
    await gauge('Complaints').getByText('no figures yet').waitFor();
    await page.getByText('Bounces are many.').waitFor();
    await page.getByText('Clean the list.').waitFor();
    await page.locator('#facts').getByText('bulk').waitFor();
    const share = await gauge('Bounces').locator('.scale i').evaluate((bar) => parseFloat(bar.style.width));
    assert.ok(Math.abs(share - 100 * 0.04 / 0.11) < 0.1, `${share}`);
  });
});

test('the page says when okite up is gone, and goes on when it is back', async () => {
  const own = await Okite.start();
  try {
    await own.send({ subject: 'Before' });
    await look('outbox', { of: own, expects: /Failed to load resource/ }, async (page) => {
      await page.getByRole('option', { name: 'Before' }).waitFor();
      await own.end();
      await page.getByRole('alert').getByText('okite up does not answer').waitFor();
      await own.again();
      await own.send({ subject: 'Afterwards' });
      await page.getByRole('option', { name: 'Afterwards' }).waitFor();
      await page.locator('#link.live').waitFor();
      assert.ok(await page.locator('#gone').isHidden());
      assert.equal(await rows(page).count(), 2);
    });
  } finally {
    await own.stop();
  }
});

/** Fails if the page can be scrolled sideways. */
async function sideways(page) {
  const [wide, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  assert.ok(wide <= room, `${page.url()} is ${wide} wide, and has room for ${room}`);
  const cut = await page.evaluate(() => [...document.querySelectorAll('main > section:not([hidden])')].filter((each) => each.scrollWidth > each.clientWidth).map((each) => each.id));
  assert.deepEqual(cut, []);
}

/** Holds what is shown against axe-core, in light and in dark. */
async function accessible(page, name) {
  // Of many events a few are as good as all.
  const within = { include: [['html']], exclude: [['#events-list li:nth-child(n+6)']] };
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(AXE);
  for (const [colorScheme, ground, rules] of [['light', 'rgb(246, 246, 243)', {}], ['dark', 'rgb(19, 21, 24)', { runOnly: ['color-contrast'] }]]) {
    await page.emulateMedia({ colorScheme });
    assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), ground);
    const { violations, passes } = await page.evaluate(([context, options]) => window.axe.run(context, { iframes: false, ...options }), [within, rules]);
    assert.ok(passes.length > 0, 'axe looked at nothing');
    const found = violations.filter((each) => ['serious', 'critical'].includes(each.impact));
    assert.deepEqual(found.map((each) => [name, colorScheme, each.id, each.nodes.map((node) => `${node.html} ${node.failureSummary}`)]), []);
  }
}

for (const viewport of [{ width: 1240, height: 760 }, { width: 360, height: 740 }]) {
  test(`everything is legible, reachable and fits into ${viewport.width} pixels`, async () => {
    await empty();
    const bounce = `bounce+${viewport.width}@simulator.amazonses.com`;
    await okite.send({ subject: 'Legible', to: [bounce], cc: [to('legible')], html: '<p>Legible</p><a href="https://example.com">x</a>', tags: [{ name: 'kind', value: 'x' }], attachments: [{ filename: 'a.txt', content: 'eA==' }] });
    const raw = await okite.sendRaw(rawMail('Raw', `<p>${'x'.repeat(500)}</p>`), { Destination: { ToAddresses: Array.from({ length: 9 }, (_, index) => to(`raw${index}`)) } });
    await okite.send({ subject: 'Another with a rather long subject that has to be cut somewhere on a small screen' });
    await okite.send({ subject: 'One that waits, with a rather long subject', scheduled_at: 'in 1 day' });
    const { url } = await receiver(200);
    const { id: webhook } = await okite.call('POST', '/webhooks', { endpoint: `${url}/${'long'.repeat(30)}`, events: ['suppression.added'] });
    await okite.call('POST', '/suppressions', { email: `legible-${viewport.width}@example.net` });
    await look('outbox', { viewport }, async (page) => {
      const check = async (name) => {
        await accessible(page, name);
        await sideways(page);
      };
      await page.getByRole('option', { name: 'Legible' }).getByText('bounced').waitFor();
      // One line of tabs, whichever is chosen.
      for (const chosen of await page.locator('#tabs [role=tab]').all()) {
        await chosen.click();
        const tops = await page.locator('#tabs [role=tab]').evaluateAll((tabs) => tabs.map((tab) => Math.round(tab.getBoundingClientRect().top)));
        assert.equal(new Set(tops).size, 1, `${await chosen.innerText()}: ${tops}`);
      }
      await page.locator('#tab-outbox').click();
      await check('outbox');
      await page.getByRole('option', { name: 'Legible' }).click();
      await page.locator('#fate .chip').waitFor();
      for (const tab of await page.locator('#parts [role=tab]').all()) {
        await tab.click();
        await check(`mail, ${await tab.innerText()}`);
      }
      await page.goto(`${okite.url}/#/outbox/${raw}`);
      await page.getByRole('heading', { name: 'Raw' }).waitFor();
      await page.getByRole('tab', { name: 'Source', exact: true }).click();
      await page.locator('#source').getByText('--b--').waitFor();
      await check('mail, Source');
      for (const [view, content] of [['queue', 'tbody tr'], ['suppressions', 'tbody tr'], ['events', '#events-list li'], [`webhooks/${webhook}`, '#delivery-list li'], ['account', '.gauge']]) {
        await page.goto(`${okite.url}/#/${view}`);
        await page.locator(content.startsWith('#') ? content : `#${view} ${content}`).first().waitFor();
        for (const summary of await page.locator('#delivery-list summary:visible').all()) await summary.click();
        await check(view);
      }
    });
  });
}
