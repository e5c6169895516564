// Makes the pictures of README.md and docs/LOCAL.md, in the folder that PICTURES names.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import { browser, eventually, Okite } from './okite.mjs';

const receipt = (name, items) => `<!doctype html><html><body style="margin:0;background:#f3f1ec;font-family:Georgia,serif">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0"><tr><td align="center" style="padding:28px 12px">
<table role="presentation" width="520" cellpadding="0" cellspacing="0" style="background:#fff;border-radius:10px;max-width:520px">
<tr><td style="padding:26px 34px 0"><img src="cid:logo" alt="Pinewood" width="44" height="44"></td></tr>
<tr><td style="padding:14px 34px 4px;font-size:25px;color:#21342b">Thank you, ${name}</td></tr>
<tr><td style="padding:0 34px 18px;color:#55605a;font-size:16px;line-height:1.5">Your order 20-1187 is packed and leaves the nursery tomorrow morning.</td></tr>
${items.map(([item, price]) => `<tr><td style="padding:9px 34px;border-top:1px solid #e7e4dc;font-size:16px;color:#21342b">${item}<span style="float:right">${price}</span></td></tr>`).join('')}
<tr><td style="padding:20px 34px 30px"><a href="https://shop.example.com/orders/20-1187" style="background:#2c6e49;color:#fff;padding:11px 22px;border-radius:6px;text-decoration:none;font-family:Arial,sans-serif;font-size:15px">Follow your parcel</a></td></tr>
</table></td></tr></table></body></html>`;

const logo = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 44 44"><rect width="44" height="44" rx="10" fill="#2c6e49"/><path d="M22 7l9 13h-5l7 10H11l7-10h-5z" fill="#fff"/><rect x="20" y="30" width="4" height="7" fill="#fff"/></svg>').toString('base64');

const MAILS = [
  { from: 'Pinewood <news@example.org>', to: ['lena@example.net'], subject: 'What to plant in November', text: 'Bare-root season has begun. Roses, hedges and fruit trees are lifted fresh every Tuesday.', tags: [{ name: 'campaign', value: 'november' }] },
  { from: 'Pinewood <hello@example.com>', to: ['Tomás Ferreira <tomas@example.net>'], subject: 'Confirm your address', text: 'Welcome to Pinewood! Please confirm that this address is yours: https://shop.example.com/confirm/7f3a' },
  { from: 'Pinewood <hello@example.com>', to: ['old-address <bounce@simulator.amazonses.com>'], subject: 'Your password was changed', text: 'The password of your account was changed a minute ago. If it was not you, answer this mail.' },
  { from: 'Pinewood <news@example.org>', to: ['complaint@simulator.amazonses.com'], subject: 'Tulips are 20 % off', text: 'Until Sunday, all tulip bulbs are 20 % off.', tags: [{ name: 'campaign', value: 'tulips' }] },
  { from: 'Pinewood <hello@example.com>', to: ['Grace Okafor <grace@example.net>', 'Sam Lee <sam@example.net>'], subject: 'Invoice 2026-0412', text: 'The invoice for your order is attached. It is due in 14 days.', attachments: [{ filename: 'invoice-2026-0412.pdf', content: 'JVBERi0xLjQK' }] },
  { from: 'Pinewood <hello@example.com>', to: ['Zoë Lindqvist <zoe@example.net>'], cc: ['orders@example.org'], reply_to: ['care@example.com'], subject: 'Your order is on its way', text: undefined,
    html: receipt('Zoë', [['Silver birch, 120 cm', '€ 34.00'], ['Wild garlic, 3 pots', '€ 11.70'], ['Delivery', '€ 4.90']]), tags: [{ name: 'kind', value: 'order' }],
    attachments: [{ filename: 'logo.svg', content: logo, content_type: 'image/svg+xml', content_id: 'logo' }] },
];

/** Each picture: its name, the colours, and the part of the mail that is open. */
const PICTURES = [['page', 'light', 'HTML'], ['page-dark', 'dark', 'HTML'], ['page-checks', 'light', 'Checks']];

const okite = await Okite.start();
const chromium = await browser();
try {
  for (const mail of MAILS) await okite.send(mail);
  await eventually('all is delivered', async () => (await okite.call('GET', '/suppressions')).data.length === 2);
  const first = 'q=' + encodeURIComponent('subject:"on its way"');
  await eventually('the last mail is delivered', async () => (await okite.call('GET', `/_local/outbox?${first}`)).data[0].state === 'delivered');
  for (const [name, colorScheme, part] of PICTURES) {
    const page = await chromium.newPage({ viewport: { width: 1240, height: 760 }, colorScheme });
    await page.goto(okite.url);
    await page.getByRole('option').nth(5).waitFor();
    await page.getByRole('option').first().click();
    await page.locator('#fate .chip').waitFor();
    await page.frameLocator('iframe').getByText('Follow your parcel').waitFor();
    if (part !== 'HTML') {
      await page.getByRole('tab', { name: part }).click();
      await page.locator('#checks table').first().waitFor();
    }
    await page.mouse.move(700, 740);
    const path = join(process.env.PICTURES, `${name}.png`);
    await page.screenshot({ path });
    // A page without its style or its mails makes a smaller one.
    if (statSync(path).size < 30_000) throw new Error(`${path} is too small to show the page`);
    await page.close();
  }
} finally {
  await chromium.close();
  await okite.stop();
}
