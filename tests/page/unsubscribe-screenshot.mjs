// Makes unsubscribe.png in the folder PICTURES: the pages behind an unsubscribe link, in each language, light and dark.

import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { browser, Okite } from './okite.mjs';
import { eachPage, LANGUAGES, link } from './unsubscribe.mjs';

const SIZE = { width: 400, height: 500 };
const PICTURES = [['en', 'light', 'ask'], ['en', 'light', 'left'], ['ja', 'dark', 'ask'], ['ko', 'dark', 'left']];

for (const language of ['ja', 'ko']) {
  if (!execFileSync('fc-list', [`:lang=${language}`], { encoding: 'utf8' })) {
    throw new Error(`no font has the letters of ${language}: install one, such as Debian's fonts-noto-cjk`);
  }
}

const okite = await Okite.start();
const chromium = await browser();
try {
  const taken = [];
  for (const [language, colorScheme, wanted] of PICTURES) {
    const url = await link(okite, `${language}-${wanted}@example.net`);
    const page = await chromium.newPage({ viewport: SIZE, locale: LANGUAGES[language], colorScheme });
    await eachPage(okite, page, url, language, async (name) => {
      if (name === wanted) taken.push(await page.screenshot());
      if (process.env.ALL) await page.screenshot({ path: join(process.env.ALL, `unsubscribe-${name}-${language}-${colorScheme}.png`) });
    });
    await page.close();
  }
  const images = taken.map((picture) => `<img src="data:image/png;base64,${picture.toString('base64')}" width="${SIZE.width}" height="${SIZE.height}">`);
  const sheet = await chromium.newPage({ viewport: { width: SIZE.width * taken.length, height: SIZE.height } });
  await sheet.setContent(`<body style="margin:0;display:flex">${images.join('')}`);
  await sheet.screenshot({ path: join(process.env.PICTURES, 'unsubscribe.png') });
} finally {
  await chromium.close();
  await okite.stop();
}
