// nodemailer with a pool of connections and the settings of docs/SMTP.md. test_nodemailer.py names them.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, test } from "node:test";
import nodemailer from "nodemailer";

const settings = new Function("KEY", `return ${process.env.NODEMAILER_SETTINGS}`)(process.env.RESEND_API_KEY);
const transport = nodemailer.createTransport({ ...settings, pool: true });
after(() => transport.close());

const address = () => `success+${randomUUID()}@simulator.amazonses.com`;

const local = (path) => fetch(`${process.env.OKITE_URL}/_local/${path}`);

async function mailsTo(recipient) {
  const outbox = await (await local("outbox?summary=true&limit=1000")).json();
  return outbox.data.reverse().filter((mail) => mail.raw && JSON.stringify(mail.decoded).includes(recipient));
}

async function sourceOf(recipient) {
  const mails = await mailsTo(recipient);
  assert.equal(mails.length, 1);
  return (await local(`outbox/${mails[0].id}/source`)).text();
}

test("the settings are accepted", async () => {
  assert.equal(await transport.verify(), true);
});

test("a pool sends twenty mails at once, each one once", async () => {
  const run = randomUUID();
  const recipients = Array.from({ length: 20 }, (_, nth) => `success+${run}-${nth}@simulator.amazonses.com`);
  const mail = (to) => ({ from: "Acme <hello@example.com>", to, subject: `To ${to}`, text: "It works." });
  const sent = await Promise.all(recipients.map((to) => transport.sendMail(mail(to))));
  for (const [nth, { response, accepted, rejected }] of sent.entries()) {
    assert.match(response, /^250 2\.0\.0 Ok /);
    assert.deepEqual([accepted, rejected], [[recipients[nth]], []]);
  }
  const arrived = (await mailsTo(run)).map(({ subject, decoded }) => [subject, decoded.to[0].email]);
  assert.deepEqual(arrived.toSorted(), recipients.map((to) => [`To ${to}`, to]).toSorted());
});

test("a mail with a file and a blind copy arrives", async () => {
  const [to, bcc] = [address(), address()];
  const file = { filename: "ünï.bin", content: Buffer.from([0, 255]) };
  const people = { from: "Zoë <zoe@example.com>", to, bcc };
  await transport.sendMail({ ...people, subject: "Grüße", html: "<p>Hi</p>", attachments: [file] });
  const source = await sourceOf(bcc);
  assert.equal(source, await sourceOf(to));
  assert.doesNotMatch(source, /^Bcc/im);
  assert.ok(source.includes("AP8="));
});

test("a refusal is an error with the code and the cause", async () => {
  const sending = transport.sendMail({ from: "hello@unverified.example", to: address(), subject: "Hello", text: "Hi" });
  await assert.rejects(sending, (error) => error.responseCode === 554 && /not verified/.test(error.response));
});
