// An `okite up` of a test's own, and a Chromium to look at it with.

import { spawn } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

export const KEY = 'ok_local_this_key_works_with_okite_up_only';
const children = new Set();
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of children) child.kill('SIGKILL');
    process.exit(1);
  });
}

export class Okite {
  /** Starts one in a directory of its own, on a free port or the one given. */
  static async start(port = 0) {
    const okite = new Okite();
    okite.dataDir = mkdtempSync(join(tmpdir(), 'okite-page-'));
    await okite.#run(port);
    return okite;
  }

  async #run(port) {
    const output = openSync(join(this.dataDir, 'output'), 'w');
    const child = spawn(process.env.OKITE, ['up', '--port', String(port), '--data-dir', join(this.dataDir, 'data')], { stdio: ['ignore', output, output] });
    this.child = child;
    children.add(child);
    this.ended = new Promise((resolve) => child.on('exit', resolve));
    this.ended.then(() => children.delete(child));
    await eventually('okite up is ready', () => {
      if (child.exitCode !== null) throw new Error(readFileSync(join(this.dataDir, 'output'), 'utf8'));
      try {
        const local = JSON.parse(readFileSync(join(this.dataDir, 'data', 'local.json'), 'utf8'));
        this.url = local.url;
        this.sesUrl = local.ses_url;
        return local.pid === child.pid;
      } catch {
        return false;
      }
    });
  }

  async end() {
    this.child.kill('SIGINT');
    await this.ended;
  }

  /** Starts it again where it was. */
  async again() {
    await this.#run(new URL(this.url).port);
  }

  async stop() {
    if (this.child.exitCode === null) await this.end();
    rmSync(this.dataDir, { recursive: true });
  }

  async call(method, path, body) {
    const answer = await fetch(`${this.url}${path}`, { method, headers: { authorization: `Bearer ${KEY}`, 'content-type': 'application/json' }, body: body && JSON.stringify(body) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
    return text ? JSON.parse(text) : null;
  }

  /** Gives SES a mail as MIME, past Okite. */
  async sendRaw(source, members = {}) {
    const body = JSON.stringify({ ...members, Content: { Raw: { Data: Buffer.from(source).toString('base64') } } });
    const headers = { authorization: 'AWS4-HMAC-SHA256 Credential=page/tests', 'content-type': 'application/json' };
    const answer = await fetch(`${this.sesUrl}/v2/email/outbound-emails`, { method: 'POST', headers, body });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return (await answer.json()).MessageId;
  }

  send(email) {
    return this.call('POST', '/emails', { from: 'Acme <hello@example.com>', to: 'success@simulator.amazonses.com', subject: 'Hello', text: 'It works.', ...email });
  }
}

export function browser() {
  // A profile of its own comes with every launch.
  return chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
}

/** Waits until `look` finds something, and returns it. */
export async function eventually(what, look) {
  for (let tries = 0; tries < 600; tries += 1) {
    const found = await look();
    if (found) return found;
    await sleep(50);
  }
  throw new Error(`it never came to be that ${what}`);
}
