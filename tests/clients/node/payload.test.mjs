// The email adapter of Payload CMS against Okite. It has no setting for the URL, so `fetch` is all that is changed.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { resendAdapter } from "@payloadcms/email-resend";

const { fetch } = globalThis;
globalThis.fetch = (url, options) => fetch(String(url).replace("https://api.resend.com", process.env.OKITE_URL), options);

const adapter = resendAdapter({
  apiKey: process.env.RESEND_API_KEY,
  defaultFromAddress: "hello@example.com",
  defaultFromName: "Acme",
})();

async function mailTo(recipient) {
  const outbox = await (await fetch(`${process.env.OKITE_URL}/_local/outbox?limit=1000`)).json();
  const mails = outbox.data.filter((mail) => mail.to.some((to) => to.includes(recipient)));
  assert.equal(mails.length, 1);
  return mails[0];
}

const address = () => `success+${randomUUID()}@simulator.amazonses.com`;

test("an email without the fields that it does not use arrives", async () => {
  const to = address();
  const { id } = await adapter.sendEmail({ to, subject: "Hello", html: "<p>It works.</p>" });
  assert.ok(id);
  const mail = await mailTo(to);
  assert.deepEqual([mail.from, mail.html, mail.text], ["Acme <hello@example.com>", "<p>It works.</p>", null]);
  assert.deepEqual([mail.cc, mail.bcc, mail.reply_to, mail.attachments], [[], [], [], []]);
});

test("an email with every field arrives", async () => {
  const to = address();
  await adapter.sendEmail({
    from: { name: "Zoë", address: "zoe@example.com" },
    to: [{ name: "Anna", address: to }],
    cc: "bob@example.net",
    bcc: [],
    replyTo: [""],
    subject: "Hello",
    text: "It works.",
    headers: { "X-Campaign": "Frühling", "Message-ID": "<1@example.com>" },
    attachments: [{ filename: "a.bin", content: Buffer.from([0, 255]) }],
  });
  const mail = await mailTo(to);
  assert.deepEqual([mail.cc, mail.bcc, mail.reply_to], [["bob@example.net"], [], []]);
  assert.deepEqual(mail.headers, { "X-Campaign": "=?utf-8?b?RnLDvGhsaW5n?=" });
  assert.deepEqual([...Buffer.from(mail.attachments[0].content, "base64")], [0, 255]);
});

test("an error has Okite's name and words", async () => {
  const sending = adapter.sendEmail({ to: "", subject: "Hello", text: "It works." });
  await assert.rejects(sending, (error) => error.status === 422 && /validation_error - `to`/.test(error.message));
});
