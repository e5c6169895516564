// The JavaScript SDK of AWS and nodemailer's transport for SES against Okite: the endpoint is all that is changed, and
// the environment names it.

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import * as v1 from "@aws-sdk/client-ses";
import * as v2 from "@aws-sdk/client-sesv2";
import nodemailer from "nodemailer";

const FILE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
const ses = new v1.SESClient();
const sesv2 = new v2.SESv2Client();
const mailer = nodemailer.createTransport({ SES: { sesClient: sesv2, SendEmailCommand: v2.SendEmailCommand } });

async function local(method, path, body) {
  const answer = await fetch(`${process.env.OKITE_URL}/_local/${path}`, { method, body: body && JSON.stringify(body) });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.status === 204 ? null : answer.json();
}

const address = () => `success+${randomUUID()}@simulator.amazonses.com`;

async function mailTo(recipient) {
  const mails = (await local("GET", "outbox?limit=1000")).data.filter((mail) => mail.to.some((to) => to.includes(recipient)));
  assert.equal(mails.length, 1);
  return mails[0];
}

const simple = (to, fields) => ({
  FromEmailAddress: "hello@example.com",
  Destination: { ToAddresses: [to] },
  Content: { Simple: { Subject: { Data: "Ünï 掟" }, Body: { Text: { Data: "It works." } } } },
  ...fields,
});

test("nodemailer sends a mail with all that it was given", async () => {
  const [to, bcc] = [address(), address()];
  const info = await mailer.sendMail({
    from: "Zoë <hello@example.com>",
    to,
    cc: "bob@example.net",
    bcc,
    replyTo: "help@example.com",
    subject: "Ünï 掟",
    text: "It works.",
    html: '<img src="cid:logo">',
    attachments: [
      { filename: "ünï.bin", content: FILE },
      { filename: "logo.png", content: FILE, cid: "logo", contentType: "image/png" },
    ],
    ses: { EmailTags: [{ Name: "campaign", Value: "spring" }] },
  });
  const mail = await mailTo(to);
  assert.equal(info.response, mail.ses_message_id);
  assert.deepEqual(mail.envelope, { from: "hello@example.com", to: [to, "bob@example.net", bcc] });
  assert.deepEqual([mail.decoded.from.name, mail.subject, mail.text.trim()], ["Zoë", "Ünï 掟", "It works."]);
  assert.deepEqual([mail.cc, mail.bcc, mail.reply_to], [["bob@example.net"], [bcc], ["help@example.com"]]);
  assert.ok(mail.tags.some((tag) => tag.name === "campaign" && tag.value === "spring"));
  const files = mail.attachments.map((file) => [file.filename, Buffer.from(file.content, "base64")]);
  assert.deepEqual(Object.fromEntries(files), { "ünï.bin": FILE, "logo.png": FILE });
});

test("nodemailer verifies the credentials", async () => {
  assert.equal(await mailer.verify(), true);
  const stranger = new v2.SESv2Client({ credentials: { accessKeyId: "ok_stranger", secretAccessKey: "x" } });
  const other = nodemailer.createTransport({ SES: { sesClient: stranger, SendEmailCommand: v2.SendEmailCommand } });
  await assert.rejects(other.verify(), { name: "UnrecognizedClientException" });
});

test("both versions of the SDK send, and read the account", async () => {
  const [one, two] = [address(), address()];
  const sent = await sesv2.send(new v2.SendEmailCommand(simple(one)));
  assert.equal(sent.MessageId, (await mailTo(one)).ses_message_id);
  const older = await ses.send(
    new v1.SendEmailCommand({
      Source: "hello@example.com",
      Destination: { ToAddresses: [two] },
      Message: { Subject: { Data: "Ünï 掟" }, Body: { Html: { Data: "<p>It works.</p>" } } },
    }),
  );
  const mail = await mailTo(two);
  assert.deepEqual([older.MessageId, mail.subject], [mail.ses_message_id, "Ünï 掟"]);
  const quota = await ses.send(new v1.GetSendQuotaCommand({}));
  const account = await sesv2.send(new v2.GetAccountCommand({}));
  assert.equal(quota.Max24HourSend, account.SendQuota.Max24HourSend);
  const { SendDataPoints: points } = await ses.send(new v1.GetSendStatisticsCommand({}));
  assert.ok(points.at(-1).Timestamp instanceof Date && points.at(-1).DeliveryAttempts > 0);
  const { EmailIdentities: identities } = await sesv2.send(new v2.ListEmailIdentitiesCommand({}));
  assert.ok(identities.some((identity) => identity.IdentityName === "example.com"));
});

test("the suppression list is Okite's", async () => {
  const gone = `${randomUUID()}+x@example.net`;
  await sesv2.send(new v2.PutSuppressedDestinationCommand({ EmailAddress: gone, Reason: "COMPLAINT" }));
  const { SuppressedDestination: found } = await sesv2.send(
    new v2.GetSuppressedDestinationCommand({ EmailAddress: gone }),
  );
  assert.deepEqual([found.Reason, found.LastUpdateTime instanceof Date], ["COMPLAINT", true]);
  const { SuppressedDestinationSummaries: listed } = await sesv2.send(
    new v2.ListSuppressedDestinationsCommand({ Reasons: ["COMPLAINT"], StartDate: new Date(Date.now() - 60_000) }),
  );
  assert.ok(listed.some((entry) => entry.EmailAddress === gone));
  const { MessageId: id } = await sesv2.send(new v2.SendEmailCommand(simple(gone)));
  assert.match(id, /^[0-9a-f]{8}-[0-9a-f]{4}-7/);
  await sesv2.send(new v2.DeleteSuppressedDestinationCommand({ EmailAddress: gone }));
  const again = sesv2.send(new v2.GetSuppressedDestinationCommand({ EmailAddress: gone }));
  await assert.rejects(again, v2.NotFoundException);
});

test("errors are those of the SDK", async () => {
  const other = simple(address(), { FromEmailAddress: "hello@example.net" });
  await assert.rejects(sesv2.send(new v2.SendEmailCommand(other)), (error) => {
    assert.ok(error instanceof v2.MessageRejected);
    return /not verified/.test(error.message);
  });
  const raw = { RawMessage: { Data: Buffer.from(`From: hello@example.net\nTo: ${address()}\n\nx`) } };
  await assert.rejects(ses.send(new v1.SendRawEmailCommand(raw)), v1.MessageRejected);
  const create = new v2.CreateEmailIdentityCommand({ EmailIdentity: "example.net" });
  await assert.rejects(sesv2.send(create), /Identities cannot be changed through Okite/);
  await assert.rejects(ses.send(new v1.ListTemplatesCommand({})), { name: "InvalidAction" });
});

test("a mail whose answer is lost is sent once", async () => {
  const to = address();
  await local("POST", "faults", { operation: "SendEmail", kill: "after" });
  const sent = await sesv2.send(new v2.SendEmailCommand(simple(to)));
  assert.deepEqual([sent.MessageId, sent.$metadata.attempts], [(await mailTo(to)).ses_message_id, 2]);
});
