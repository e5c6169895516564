// The pages behind an unsubscribe link, as a recipient meets them in a browser. Every test fails on an error in the
// console, on a request to anywhere but the link, and on a cookie.

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import { browser, Okite } from './okite.mjs';
import { eachPage, LANGUAGES, link } from './unsubscribe.mjs';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
let okite;
let chromium;

before(async () => {
  okite = await Okite.start();
  chromium = await browser();
  await okite.call('PUT', '/_local/account', { max_send_rate: 5000 });
  await okite.call('POST', '/_local/schedule');
});
after(async () => {
  await chromium?.close();
  await okite?.stop();
});

/** Visits as a recipient does, and tells afterwards what the pages must not have done. */
async function visit({ expects = null, ...options }, run) {
  const visitor = await chromium.newContext({ viewport: { width: 1240, height: 760 }, ...options });
  const page = await visitor.newPage();
  const errors = [];
  const requests = [];
  page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
  page.on('pageerror', (error) => errors.push(error.message));
  visitor.on('request', (request) => requests.push(request.url()));
  try {
    await run(page);
    const ours = (url) => url.startsWith(`${okite.url}/unsubscribe/`);
    assert.deepEqual(requests.filter((url) => !ours(url)), [], 'a request went elsewhere');
    assert.deepEqual(errors.filter((error) => !expects?.test(error)), []);
    assert.deepEqual(await visitor.cookies(), []);
  } finally {
    await visitor.close();
  }
}

/** The browser's own lines about the status of a page that says that it cannot help. */
const STATUS = /the server responded with a status of (404|503)/;

/** Whether the person with the address has left the topic. */
async function hasLeft(address) {
  const { data } = await okite.call('GET', '/suppressions?topic=weekly-news&limit=100');
  return data.some((entry) => entry.email === address);
}

for (const [language, locale] of Object.entries(LANGUAGES)) {
  for (const viewport of [{ width: 1240, height: 760 }, { width: 360, height: 740 }]) {
    test(`every page is accessible in ${language} at ${viewport.width} pixels, light and dark`, async () => {
      const url = await link(okite, `${language}-${viewport.width}@example.net`);
      await visit({ locale, viewport, expects: STATUS }, (page) => eachPage(okite, page, url, language, async (name, heading) => {
        assert.equal(await page.getAttribute('html', 'lang'), language);
        assert.equal(await page.title(), await heading.innerText());
        assert.equal(await page.getByRole('status').count(), name === 'ask' ? 0 : 1, name);
        assert.equal(await page.getByRole('button').count(), name === 'wrong' ? 0 : 1, name);
        await page.evaluate(AXE);
        for (const [colorScheme, ground] of [['light', 'rgb(247, 246, 242)'], ['dark', 'rgb(19, 21, 24)']]) {
          await page.emulateMedia({ colorScheme });
          assert.equal(await page.evaluate(() => getComputedStyle(document.body).backgroundColor), ground);
          const { violations, passes } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
          assert.ok(passes.length > 5, 'axe looked at nothing');
          assert.deepEqual(violations.map((each) => [name, colorScheme, each.id, each.nodes.map((node) => `${node.html} ${node.failureSummary}`)]), []);
        }
      }));
    });
  }
}

test('the pages work by keyboard alone', async () => {
  const url = await link(okite, 'keyboard@example.net');
  await visit({}, async (page) => {
    await page.goto(url);
    for (const [label, next] of [['Unsubscribe', 'You have unsubscribed'], ['Subscribe again', 'You are subscribed again'], ['Unsubscribe', 'You have unsubscribed']]) {
      await page.keyboard.press('Tab');
      const focused = page.locator(':focus-visible');
      assert.equal(await focused.innerText(), label);
      const { outlineStyle, outlineWidth } = await focused.evaluate((button) => ({ ...getComputedStyle(button) }));
      assert.deepEqual([outlineStyle, outlineWidth], ['solid', '3px']);
      await page.keyboard.press('Enter');
      await page.getByRole('heading', { name: next }).waitFor();
    }
  });
  assert.ok(await hasLeft('keyboard@example.net'));
});

test('the pages work without scripts, and a look alone changes nothing', async () => {
  const address = 'no-script@example.net';
  const url = await link(okite, address);
  await visit({ javaScriptEnabled: false }, async (page) => {
    await page.goto(url);
    await page.reload();
    for (const method of ['HEAD', 'GET']) assert.equal((await fetch(url, { method })).status, 200);
    assert.ok(!(await hasLeft(address)));
    await page.getByRole('button', { name: 'Unsubscribe' }).click();
    await page.getByRole('heading', { name: 'You have unsubscribed' }).waitFor();
    assert.ok(await hasLeft(address));
    await page.getByRole('button', { name: 'Subscribe again' }).click();
    await page.getByRole('heading', { name: 'You are subscribed again' }).waitFor();
    assert.ok(!(await hasLeft(address)));
  });
});

for (const [language, locale] of Object.entries(LANGUAGES)) {
  test(`the longest topic fits into 320 pixels with letters of twice the size in ${language}`, async () => {
    const url = await link(okite, `narrow-${language}@example.net`, 'w'.repeat(32));
    await visit({ locale, viewport: { width: 320, height: 640 } }, async (page) => {
      const fits = async () => {
        await page.evaluate(() => { document.documentElement.style.fontSize = '200%'; });
        const [wide, cut] = await page.evaluate(() => [document.documentElement.scrollWidth, [...document.querySelectorAll('body *')].filter((each) => each.scrollWidth > each.clientWidth + 1 && each.clientWidth > 0).map((each) => each.outerHTML)]);
        assert.ok(wide <= 320, `the page is ${wide} wide`);
        assert.deepEqual(cut, []);
        const button = await page.getByRole('button').boundingBox();
        assert.ok(button.height >= 44 && button.x >= 0 && button.x + button.width <= 320, JSON.stringify(button));
      };
      await page.goto(url);
      await fits();
      await page.getByRole('button').click();
      await page.getByRole('status').waitFor();
      await fits();
    });
  });
}

test('a mail is opened, its unsubscribe page is followed, and the next mail of the topic stays away', async () => {
  const to = 'loop@example.net';
  const news = { to, html: '<p>News</p><p><a href="{{{UNSUBSCRIBE_URL}}}">Unsubscribe</a></p>', okite_unsubscribe: 'weekly-news' };
  await okite.send({ ...news, subject: 'The news of this week' });
  const context = await chromium.newContext({ viewport: { width: 1240, height: 760 } });
  try {
    const page = await context.newPage();
    await page.goto(okite.url);
    await page.getByRole('option', { name: 'The news of this week' }).click();
    await page.getByRole('tab', { name: 'Checks' }).click();
    await page.getByText('mailbox providers can offer one click').waitFor();
    const opened = context.waitForEvent('page');
    await page.getByRole('link', { name: 'Open the unsubscribe page' }).click();
    const recipient = await opened;
    await recipient.getByRole('heading', { name: 'Unsubscribe from “weekly news”?' }).waitFor();
    await recipient.getByRole('button', { name: 'Unsubscribe' }).click();
    await recipient.getByRole('heading', { name: 'You have unsubscribed' }).waitFor();

    await page.getByRole('tab', { name: 'Suppressions' }).click();
    const topic = page.getByRole('searchbox', { name: 'Topic that people left' });
    await topic.fill('Weekly News');
    await topic.press('Enter');
    await page.getByRole('heading', { name: 'Suppressed addresses' }).waitFor();
    await topic.fill('weekly-news');
    await topic.press('Enter');
    await page.getByRole('heading', { name: 'Left the topic weekly-news' }).waitFor();
    await page.getByRole('cell', { name: to, exact: true }).waitFor();
    await page.getByRole('textbox', { name: 'Address' }).fill('desk@example.net');
    await page.getByRole('button', { name: 'Unsubscribe' }).click();
    await page.getByRole('button', { name: 'Lift desk@example.net' }).click();
    await page.getByText('desk@example.net gets mail of the topic weekly-news again.').waitFor();
    await page.getByRole('cell', { name: 'desk@example.net', exact: true }).waitFor({ state: 'detached' });
  } finally {
    await context.close();
  }
  const next = await okite.send({ ...news, subject: 'The news of next week' });
  assert.deepEqual(next.recipients.map(({ status, reason }) => [status, reason]), [['suppressed', 'unsubscribed']]);
  const receipt = await okite.send({ to, subject: 'Your receipt' });
  assert.deepEqual(receipt.recipients.map(({ status }) => status), ['accepted']);
});

test('no cache keeps a page, no search engine lists it, and no other site learns of it or frames it', async () => {
  const answer = await fetch(await link(okite, 'headers@example.net'), { headers: { 'accept-language': 'ko-KR,ko;q=0.9,en;q=0.8' } });
  const expected = {
    'content-type': 'text/html; charset=utf-8',
    'content-language': 'ko',
    vary: 'accept-language',
    'cache-control': 'no-store',
    'referrer-policy': 'no-referrer',
    'x-robots-tag': 'noindex',
    'x-content-type-options': 'nosniff',
    'set-cookie': null,
  };
  const given = Object.fromEntries(Object.keys(expected).map((name) => [name, answer.headers.get(name)]));
  assert.deepEqual(given, expected);
  const policy = answer.headers.get('content-security-policy');
  assert.match(policy, /^default-src 'none'; style-src 'sha256-[^']{44}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/);
  assert.ok(!(await answer.text()).includes('headers@'), 'the page shows the address');
});
