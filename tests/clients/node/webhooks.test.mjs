// Webhooks by the Node SDK of Resend, and the verifier of Standard Webhooks, both unmodified.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { Resend } from "resend";
import { Webhook } from "standardwebhooks";

const resend = new Resend(process.env.RESEND_API_KEY);
const requests = [];
const server = createServer((request, response) => {
  let body = "";
  request.on("data", (part) => (body += part));
  request.on("end", () => {
    requests.push({ headers: request.headers, body });
    response.end("ok");
  });
});
let url;

before(async () => {
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  url = `http://127.0.0.1:${server.address().port}/hook`;
});
after(() => server.close());

function done({ data, error }) {
  assert.equal(error, null);
  return data;
}

async function eventually(find) {
  for (let round = 0; round < 600; round++) {
    const found = await find();
    if (found) return found;
    await sleep(50);
  }
  assert.fail("it never came to be");
}

/** An endpoint for the time of a test. */
async function withEndpoint(events, work) {
  const endpoint = done(await resend.webhooks.create({ endpoint: url, events }));
  try {
    await work(endpoint);
  } finally {
    assert.equal(done(await resend.webhooks.remove(endpoint.id)).deleted, true);
  }
}

async function send() {
  const to = `success+${randomUUID()}@simulator.amazonses.com`;
  const email = { from: "Acme, Inc. <hello@example.com>", to, subject: "Hello", text: "It works." };
  return done(await resend.emails.send(email)).id;
}

const received = (id) => eventually(() => requests.find(({ body }) => body.includes(id)));

test("an event is verified by the SDK and by Standard Webhooks, and a changed one is not", async () => {
  await withEndpoint(["email.delivered"], async ({ signing_secret }) => {
    const id = await send();
    const { headers, body } = await received(id);
    const verify = (payload) =>
      resend.webhooks.verify({
        payload,
        headers: {
          id: headers["svix-id"],
          timestamp: headers["svix-timestamp"],
          signature: headers["svix-signature"],
        },
        webhookSecret: signing_secret,
      });
    const event = verify(body);
    assert.deepEqual([event.type, event.data.email_id, event.data.subject], ["email.delivered", id, "Hello"]);
    assert.deepEqual(new Webhook(signing_secret).verify(body, headers), event);
    assert.throws(() => verify(body.replace("Hello", "Hallo")));
  });
});

test("an endpoint is listed, changed, given another secret and removed", async () => {
  await withEndpoint(["email.sent", "email.bounced"], async ({ id, signing_secret }) => {
    const found = done(await resend.webhooks.get(id));
    assert.deepEqual([found.object, found.endpoint, found.status], ["webhook", url, "enabled"]);
    assert.deepEqual(found.events.toSorted(), ["email.bounced", "email.sent"]);
    assert.equal(done(await resend.webhooks.update(id, { status: "disabled", events: ["email.sent"] })).id, id);
    const [listed] = done(await resend.webhooks.list()).data.filter((one) => one.id === id);
    assert.deepEqual([listed.status, listed.events], ["disabled", ["email.sent"]]);
    const rotated = done(await resend.webhooks.rotateSigningSecret(id));
    assert.match(rotated.signing_secret, /^whsec_/);
    assert.notEqual(rotated.signing_secret, signing_secret);
  });
});

test("the log has an event, its attempts, and replays it", async () => {
  await withEndpoint(["email.delivered"], async ({ id: webhookId }) => {
    const { headers, body } = await received(await send());
    const eventId = headers["webhook-id"];
    const attempts = async () => done(await resend.webhooks.events.attempts.list({ webhookId, eventId })).data;
    const [attempt] = await eventually(async () => ((await attempts()).length > 0 ? attempts() : null));
    assert.deepEqual([attempt.http_status_code, attempt.response], [200, "ok"]);
    const event = done(await resend.webhooks.events.get({ webhookId, eventId }));
    assert.deepEqual([event.type, event.payload], ["email.delivered", JSON.parse(body)]);
    assert.ok(done(await resend.webhooks.events.list({ webhookId })).data.some(({ id }) => id === eventId));
    assert.equal(done(await resend.webhooks.events.replay({ webhookId, eventId })).id, eventId);
    await eventually(() => requests.filter((copy) => copy.headers["webhook-id"] === eventId).length === 2);
  });
});
