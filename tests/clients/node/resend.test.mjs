// The Node SDK of Resend against Okite: RESEND_BASE_URL is all that is changed.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Resend } from "resend";

const FILE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const resend = new Resend(process.env.RESEND_API_KEY);

async function local(method, path, body) {
  const answer = await fetch(`${process.env.OKITE_URL}/_local/${path}`, { method, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.status === 204 ? null : answer.json();
}

const address = () => `success+${randomUUID()}@simulator.amazonses.com`;
const mailsTo = async (recipient) =>
  (await local("GET", "outbox?limit=1000")).data.filter((mail) => mail.to.some((to) => to.includes(recipient)));
const email = (to, fields) => ({ from: "Acme, Inc. <hello@example.com>", to, subject: "Hello", text: "It works.", ...fields });

async function mailTo(recipient) {
  const mails = await mailsTo(recipient);
  assert.equal(mails.length, 1);
  return mails[0];
}

function sent({ data, error }) {
  assert.equal(error, null);
  return data;
}

/** Checks that an answer is an error as the SDK knows it. */
function refused({ data, error, headers }, statusCode, name) {
  assert.equal(data, null);
  assert.deepEqual({ statusCode: error.statusCode, name: error.name }, { statusCode, name });
  assert.ok(error.message.length > 0);
  return { ...error, headers };
}

async function withFault(operation, error, work) {
  await local("POST", "faults", { operation, error, for_ms: 600_000 });
  try {
    await work();
  } finally {
    await local("DELETE", "faults");
  }
}

async function eventually(condition) {
  for (let round = 0; round < 600; round++) {
    if (await condition()) return;
    await sleep(50);
  }
  assert.fail("it never came to be");
}

test("an email arrives with all that it was given", async () => {
  const to = address();
  const data = sent(
    await resend.emails.send(
      email([`Ünï <${to}>`], {
        cc: "bob@example.net",
        bcc: ["carol@example.net"],
        replyTo: "help@example.com",
        html: "<p>It works.</p>",
        headers: { "X-Entity-Ref-ID": "1" },
        tags: [{ name: "campaign", value: "spring" }],
      }),
    ),
  );
  assert.deepEqual(data.recipients[0], { email: to, status: "accepted" });
  const mail = await mailTo(to);
  assert.equal(mail.from, '"Acme, Inc." <hello@example.com>');
  assert.deepEqual([mail.cc, mail.bcc, mail.reply_to], [["bob@example.net"], ["carol@example.net"], ["help@example.com"]]);
  assert.deepEqual([mail.subject, mail.text, mail.html], ["Hello", "It works.", "<p>It works.</p>"]);
  assert.equal(mail.headers["X-Entity-Ref-ID"], "1");
  assert.ok(mail.tags.some((tag) => tag.name === "campaign" && tag.value === "spring"));
});

test("files arrive whether as base64, as a Buffer or as older versions wrote a Buffer", async () => {
  const to = address();
  const attachments = [
    { filename: "a.pdf", content: FILE.toString("base64"), contentType: "application/pdf" },
    { filename: "b.png", content: FILE, contentId: "logo" },
    { filename: "c.png", content: FILE.toJSON() },
  ];
  sent(await resend.emails.send(email(to, { attachments })));
  const files = (await mailTo(to)).attachments;
  assert.deepEqual(files.map((file) => file.filename), ["a.pdf", "b.png", "c.png"]);
  assert.deepEqual([files[0].content_type, files[1].content_id], ["application/pdf", "logo"]);
  for (const file of files) assert.deepEqual(Buffer.from(file.content, "base64"), FILE);
});

test("an email is shown", async () => {
  const to = address();
  const { id } = sent(await resend.emails.send(email(to)));
  await eventually(async () => sent(await resend.emails.get(id)).last_event === "delivered");
  const shown = sent(await resend.emails.get(id));
  assert.deepEqual([shown.object, shown.id, shown.to, shown.scheduled_at], ["email", id, [to], null]);
});

test("emails are listed, the newest first, in pages", async () => {
  const [older, newer] = [sent(await resend.emails.send(email(address()))), sent(await resend.emails.send(email(address())))];
  const first = sent(await resend.emails.list({ limit: 1 }));
  assert.deepEqual([first.object, first.has_more, first.data.map((mail) => mail.id)], ["list", true, [newer.id]]);
  const second = sent(await resend.emails.list({ limit: 1, after: newer.id }));
  assert.deepEqual(second.data.map((mail) => mail.id), [older.id]);
  const back = sent(await resend.emails.list({ limit: 1, before: older.id }));
  assert.deepEqual(back.data.map((mail) => mail.id), [newer.id]);
  assert.ok(sent(await resend.emails.list()).data.length >= 2);
});

test("what a form leaves empty is left out", async () => {
  const to = address();
  sent(await resend.emails.send(email(to, { cc: "", bcc: [""], replyTo: "", html: "", headers: {}, tags: [], attachments: [] })));
  const mail = await mailTo(to);
  assert.deepEqual([mail.cc, mail.bcc, mail.reply_to], [[], [], []]);
});

test("an idempotency key sends once and knows its email", async () => {
  const to = address();
  const options = { idempotencyKey: randomUUID() };
  const first = sent(await resend.emails.send(email(to), options));
  assert.equal(sent(await resend.emails.send(email(to), options)).id, first.id);
  await mailTo(to);
  refused(await resend.emails.send(email(to, { subject: "Another" }), options), 409, "invalid_idempotent_request");
});

test("a batch is sent strictly or permissively", async () => {
  const [first, second] = [address(), address()];
  const both = [email(first), email(second)];
  const options = { idempotencyKey: randomUUID() };
  const { data } = sent(await resend.batch.send(both, options));
  assert.equal(new Set(data.map((item) => item.id)).size, 2);
  assert.deepEqual(sent(await resend.batch.send(both, options)).data, data);
  for (const to of [first, second]) await mailTo(to);
  const [to, wrong] = [address(), email("nobody")];
  refused(await resend.batch.send([email(to), wrong]), 422, "validation_error");
  assert.deepEqual(await mailsTo(to), []);
  const some = sent(await resend.batch.send([wrong, email(to)], { batchValidation: "permissive" }));
  assert.equal(some.data.length, 1);
  assert.deepEqual(some.errors.map((error) => error.index), [0]);
  await mailTo(to);
});

test("errors are the errors of the SDK", async () => {
  const send = (fields) => resend.emails.send(email(address(), fields));
  refused(await send({ subject: undefined }), 422, "missing_required_field");
  refused(await send({ from: "nobody" }), 422, "validation_error");
  refused(await send({ attachments: [{ filename: "a.pdf", content: "%" }] }), 422, "invalid_attachment");
  refused(await send({ from: "hello@unverified.example" }), 403, "validation_error");
  refused(await new Resend("ok_nobody_knows").emails.send(email(address())), 403, "invalid_api_key");
  await withFault("SendEmail", "LimitExceededException", async () => {
    const refusing = { headers: { "okite-when-busy": "refuse" } };
    const answer = await resend.emails.send(email(address()), refusing);
    assert.ok(Number(refused(answer, 429, "rate_limit_exceeded").headers["retry-after"]) > 0);
  });
  await withFault("SendEmail", "InternalFailure", async () => refused(await send(), 500, "application_error"));
  await withFault("BatchGetItem", "ThrottlingException", async () => refused(await send(), 503, "service_unavailable"));
});

test("an email is scheduled, gets another time and is cancelled", async () => {
  const to = address();
  const { id } = sent(await resend.emails.send(email(to, { scheduledAt: "in 1 hour" })));
  assert.equal(sent(await resend.emails.get(id)).last_event, "scheduled");
  const scheduledAt = new Date(Date.now() + 7_200_000).toISOString();
  assert.deepEqual(sent(await resend.emails.update({ id, scheduledAt })), { object: "email", id });
  assert.equal(Date.parse(sent(await resend.emails.get(id)).scheduled_at), Date.parse(scheduledAt));
  for (let round = 0; round < 2; round++) {
    assert.deepEqual(sent(await resend.emails.cancel(id)), { object: "email", id });
  }
  assert.equal(sent(await resend.emails.get(id)).last_event, "canceled");
  refused(await resend.emails.update({ id, scheduledAt }), 409, "validation_error");
  refused(await resend.emails.cancel(randomUUID()), 404, "not_found");
  const { data } = sent(await resend.batch.send([email(to, { scheduledAt: "in 2 days" })]));
  assert.equal(sent(await resend.emails.get(data[0].id)).last_event, "scheduled");
  for (const wrong of ["tomorrow at 9am", "in 31 days", "2001-01-01T00:00:00Z"]) {
    const answer = await resend.emails.send(email(to, { scheduledAt: wrong }));
    assert.match(refused(answer, 422, "validation_error").message, /scheduled_at/);
  }
  assert.deepEqual(await mailsTo(to), []);
});

test("an email for which there is no room is queued", async () => {
  await withFault("SendEmail", "LimitExceededException", async () => {
    const { id } = sent(await resend.emails.send(email(address())));
    assert.equal(sent(await resend.emails.get(id)).last_event, "queued");
  });
});

test("what is not supported says so", async () => {
  refused(await resend.domains.list(), 404, "not_found");
});

test("suppressions are added, found, listed and removed", async () => {
  const to = address();
  const { id } = sent(await resend.suppressions.add({ email: to.toUpperCase() }));
  for (const which of [to, id]) {
    const { object, email, origin, source_id } = sent(await resend.suppressions.get(which));
    assert.deepEqual({ object, email, origin, source_id }, { object: "suppression", email: to, origin: "manual", source_id: null });
  }
  const listed = sent(await resend.suppressions.list({ origin: "manual", limit: 1 }));
  assert.deepEqual([listed.object, listed.data[0].id], ["list", id]);
  const { recipients } = sent(await resend.emails.send(email([to, address()])));
  assert.deepEqual(recipients.map((recipient) => recipient.status), ["suppressed", "accepted"]);
  assert.equal(sent(await resend.suppressions.remove(id)).deleted, true);
  refused(await resend.suppressions.get(to), 404, "not_found");
  const emails = [address(), address()];
  assert.equal(sent(await resend.suppressions.batch.add({ emails })).data.length, 2);
  assert.equal(sent(await resend.suppressions.batch.remove({ emails })).data.length, 2);
});

test("a webhook is created, changed, rotated and deleted, and its requests are verified", async () => {
  const got = [];
  const receiver = createServer((request, answer) => {
    let body = "";
    request.on("data", (part) => (body += part));
    request.on("end", () => {
      got.push({ headers: request.headers, body });
      answer.end("thanks");
    });
  });
  await new Promise((listens) => receiver.listen(0, "127.0.0.1", listens));
  const endpoint = `http://127.0.0.1:${receiver.address().port}/hook`;
  const { id, signing_secret: webhookSecret } = sent(await resend.webhooks.create({ endpoint, events: ["suppression.added"] }));
  const { status, events } = sent(await resend.webhooks.get(id));
  assert.deepEqual([status, events], ["enabled", ["suppression.added"]]);
  assert.ok(sent(await resend.webhooks.list({ limit: 100 })).data.some((webhook) => webhook.id === id));
  // Functions learn of a webhook within 30 seconds.
  await local("POST", "clock", { advance_ms: 31_000 });
  const to = address();
  sent(await resend.suppressions.add({ email: to }));
  await eventually(() => got.length > 0);
  const headers = { id: got[0].headers["webhook-id"], timestamp: got[0].headers["webhook-timestamp"], signature: got[0].headers["webhook-signature"] };
  const event = resend.webhooks.verify({ payload: got[0].body, headers, webhookSecret });
  assert.deepEqual([event.type, event.data.email], ["suppression.added", to]);
  assert.throws(() => resend.webhooks.verify({ payload: `${got[0].body} `, headers, webhookSecret }));
  const eventId = headers.id;
  await eventually(async () => (await resend.webhooks.events.get({ webhookId: id, eventId })).data?.status === "success");
  const shown = sent(await resend.webhooks.events.get({ webhookId: id, eventId }));
  assert.deepEqual(shown.payload, event);
  assert.ok(sent(await resend.webhooks.events.list({ webhookId: id, limit: 100 })).data.some((listed) => listed.id === eventId));
  const attempts = sent(await resend.webhooks.events.attempts.list({ webhookId: id, eventId, limit: 1 }));
  assert.deepEqual([attempts.data[0].http_status_code, attempts.data[0].response], [200, "thanks"]);
  const before = got.length;
  assert.equal(sent(await resend.webhooks.events.replay({ webhookId: id, eventId })).id, eventId);
  await eventually(() => got.slice(before).some((request) => request.headers["webhook-id"] === eventId));
  assert.notEqual(sent(await resend.webhooks.rotateSigningSecret(id)).signing_secret, webhookSecret);
  assert.equal(sent(await resend.webhooks.update(id, { status: "disabled" })).id, id);
  refused(await resend.webhooks.update(id, { events: ["domain.created"] }), 422, "validation_error");
  assert.equal(sent(await resend.webhooks.remove(id)).deleted, true);
  refused(await resend.webhooks.get(id), 404, "not_found");
  receiver.close();
});
