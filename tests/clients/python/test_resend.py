"""The Python SDK of Resend against Okite: RESEND_API_URL is all that is changed."""

import base64
import datetime
import uuid
from email.header import Header, decode_header, make_header

import pytest
import resend
from resend.exceptions import (
    ApplicationError,
    InvalidApiKeyError,
    MissingRequiredFieldsError,
    RateLimitError,
    ResendError,
    ValidationError,
)

import local

FILE = bytes(range(256))


def email(to, **fields):
    return {"from": "Acme, Inc. <hello@example.com>", "to": to, "subject": "Hello", "text": "It works."} | fields


def refused(error, call, **expected):
    with pytest.raises(ResendError) as raised:
        call()
    assert type(raised.value) is error
    assert {name: getattr(raised.value, name) for name in expected} == expected
    return raised.value


def test_an_email_arrives_with_all_that_it_was_given():
    to = local.address()
    sent = resend.Emails.send(
        email(
            [f"Ünï <{to}>"],
            cc="bob@example.net",
            bcc=["carol@example.net"],
            reply_to="help@example.com",
            html="<p>It works.</p>",
            headers={"X-Entity-Ref-ID": "1"},
            tags=[{"name": "campaign", "value": "spring"}],
        )
    )
    assert uuid.UUID(sent["id"]) and sent.recipients[0] == {"email": to, "status": "accepted"}
    assert sent.http_headers["ratelimit-limit"]
    mail = local.mail_to(to)
    assert mail["from"] == '"Acme, Inc." <hello@example.com>'
    assert (mail["cc"], mail["bcc"], mail["reply_to"]) == (["bob@example.net"], ["carol@example.net"], ["help@example.com"])
    assert (mail["subject"], mail["text"], mail["html"]) == ("Hello", "It works.", "<p>It works.</p>")
    assert mail["headers"]["X-Entity-Ref-ID"] == "1"
    assert local.own_tags(mail) == {"campaign": "spring"}


def test_files_arrive_whether_as_base64_or_as_a_list_of_bytes():
    to = local.address()
    resend.Emails.send(
        email(
            to,
            attachments=[
                {"filename": "a.pdf", "content": base64.b64encode(FILE).decode(), "content_type": "application/pdf"},
                {"filename": "b.png", "content": list(FILE), "inline_content_id": "logo"},
            ],
        )
    )
    files = local.mail_to(to)["attachments"]
    assert [base64.b64decode(file["content"]) for file in files] == [FILE, FILE]
    assert (files[0]["filename"], files[0]["content_type"], files[1]["content_id"]) == ("a.pdf", "application/pdf", "logo")


def test_an_email_is_shown():
    to = local.address()
    sent = resend.Emails.send(email(to))
    local.eventually(lambda: resend.Emails.get(sent["id"])["last_event"] == "delivered")
    shown = resend.Emails.get(sent["id"])
    assert set(resend.Email.__annotations__) <= set(shown)
    assert (shown["object"], shown["to"], shown["message_id"][0]) == ("email", [to], "<")
    assert [email["id"] for email in resend.Emails.list({"to": to})["data"]] == [sent["id"]]


def test_emails_are_listed_in_pages():
    older, newer = [resend.Emails.send(email(local.address()))["id"] for _ in range(2)]
    ids = lambda page: [listed["id"] for listed in page["data"]]
    first = resend.Emails.list({"limit": 1})
    assert (ids(first), first["has_more"], first["object"]) == ([newer], True, "list")
    assert ids(resend.Emails.list({"limit": 1, "after": newer})) == [older]
    assert ids(resend.Emails.list({"limit": 1, "before": older})) == [newer]
    assert len(resend.Emails.list()["data"]) >= 2


def test_files_and_headers_arrive_in_the_forms_that_mail_libraries_write():
    to = local.address()
    headers = {"X-Campaign": str(Header("Frühling " * 12, "utf-8").encode()), "X-Plain": "Grüße"}
    content = base64.encodebytes(FILE).decode()
    sender = f"{Header('Zoë B.', 'utf-8').encode()} <zoe@example.com>"
    sent = resend.Emails.send(
        email(to, **{"from": sender}, headers={**headers, "Date": "now"}, attachments=[{"filename": "a.bin", "content": content}])
    )
    assert "`Date`" in sent["okite_notes"][0]
    mail = local.mail_to(to)
    decoded = {name: str(make_header(decode_header(value))) for name, value in mail["headers"].items()}
    assert decoded == {"X-Campaign": "Frühling " * 12, "X-Plain": "Grüße"}
    assert str(make_header(decode_header(mail["from"]))) == "Zoë B. <zoe@example.com>"
    assert base64.b64decode(mail["attachments"][0]["content"]) == FILE


def test_an_idempotency_key_sends_once_and_knows_its_email():
    to, options = local.address(), {"idempotency_key": uuid.uuid4().hex}
    first = resend.Emails.send(email(to), options)
    assert resend.Emails.send(email(to), options)["id"] == first["id"]
    assert len(local.mails_to(to)) == 1
    other = email(to, subject="Another")
    refused(ResendError, lambda: resend.Emails.send(other, options), code=409, error_type="invalid_idempotent_request")


def test_a_batch_is_sent_strictly_or_permissively():
    first, second = local.address(), local.address()
    sent = resend.Batch.send([email(first), email(second)], {"idempotency_key": uuid.uuid4().hex})
    assert [local.mail_to(to)["subject"] for to in (first, second)] == ["Hello", "Hello"]
    assert len({item["id"] for item in sent["data"]}) == 2
    to, wrong = local.address(), email("nobody")
    refused(ValidationError, lambda: resend.Batch.send([email(to), wrong]), code=422)
    assert local.mails_to(to) == []
    sent = resend.Batch.send([wrong, email(to)], {"batch_validation": "permissive"})
    assert len(sent["data"]) == 1 and local.mail_to(to)
    [error] = sent["errors"]
    assert error["index"] == 0 and error["message"]


def test_errors_are_the_exceptions_of_the_sdk(monkeypatch):
    send = lambda **fields: lambda: resend.Emails.send(email(local.address(), **fields))
    without_subject = {name: value for name, value in email(local.address()).items() if name != "subject"}
    refused(MissingRequiredFieldsError, lambda: resend.Emails.send(without_subject), code=422)
    refused(ValidationError, send(**{"from": "nobody"}), code=422, error_type="validation_error")
    refused(ResendError, send(attachments=[{"filename": "a.pdf", "content": "%"}]), error_type="invalid_attachment")
    refused(ResendError, send(**{"from": "hello@unverified.example"}), code=403, error_type="validation_error")
    with local.fault("SendEmail", "LimitExceededException"):
        error = refused(RateLimitError, send(okite_when_busy="refuse"), code=429, error_type="rate_limit_exceeded")
        assert int(error.headers["retry-after"]) > 0
    with local.fault("SendEmail", "InternalFailure"):
        refused(ApplicationError, send(), code=500)
    with local.fault("BatchGetItem", "ThrottlingException"):
        error = refused(ResendError, send(), code=503, error_type="service_unavailable")
        assert int(error.headers["retry-after"]) > 0
    monkeypatch.setattr(resend, "api_key", "ok_nobody_knows")
    refused(InvalidApiKeyError, send(), code=403)


def test_an_email_is_scheduled_gets_another_time_and_is_cancelled():
    to = local.address()
    id = resend.Emails.send(email(to, scheduled_at="in 1 hour"))["id"]
    assert resend.Emails.get(id)["last_event"] == "scheduled"
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)
    moved = resend.Emails.update({"id": id, "scheduled_at": later.isoformat()})
    assert (moved["object"], moved["id"]) == ("email", id)
    assert datetime.datetime.fromisoformat(resend.Emails.get(id)["scheduled_at"]).date() == later.date()
    for _ in range(2):
        cancelled = resend.Emails.cancel(id)
        assert (cancelled["object"], cancelled["id"]) == ("email", id)
    assert resend.Emails.get(id)["last_event"] == "canceled"
    refused(ResendError, lambda: resend.Emails.update({"id": id, "scheduled_at": "in 1 hour"}), code=409)
    refused(ResendError, lambda: resend.Emails.cancel(str(uuid.uuid4())), code=404, error_type="not_found")
    [item] = resend.Batch.send([email(to, scheduled_at="in 2 days")])["data"]
    assert resend.Emails.get(item["id"])["last_event"] == "scheduled"
    for wrong in ("tomorrow at 9am", "in 31 days", "2001-01-01T00:00:00Z"):
        scheduled = email(to, scheduled_at=wrong)
        assert "scheduled_at" in refused(ValidationError, lambda: resend.Emails.send(scheduled), code=422).message
    assert local.mails_to(to) == []


def test_an_email_for_which_there_is_no_room_is_queued():
    with local.fault("SendEmail", "LimitExceededException"):
        sent = resend.Emails.send(email(local.address(), okite_deadline="10m"))
        assert resend.Emails.get(sent["id"])["last_event"] == "queued"


def test_what_is_not_supported_says_so():
    refused(ResendError, resend.Domains.list, code=404, error_type="not_found")


def test_suppressions_are_added_found_listed_and_removed():
    to = local.address()
    added = resend.Suppressions.add({"email": to})
    assert resend.Suppressions.add({"email": to.upper()})["id"] == added["id"]
    for which in (to, added["id"]):
        found = resend.Suppressions.get(which)
        assert (found["id"], found["email"], found["origin"], found["source_id"]) == (added["id"], to, "manual", None)
    listed = resend.Suppressions.list({"origin": "manual", "limit": 1})
    assert listed["data"][0]["id"] == added["id"]
    sent = resend.Emails.send(email([to, local.address()]))
    assert [recipient["status"] for recipient in sent["recipients"]] == ["suppressed", "accepted"]
    assert local.mails_to(to) == []
    assert resend.Suppressions.remove(to)["deleted"] is True
    refused(ResendError, lambda: resend.Suppressions.get(to), code=404, error_type="not_found")
    both = [local.address(), local.address()]
    assert len(resend.Suppressions.Batch.add({"emails": both})["data"]) == 2
    removed = resend.Suppressions.Batch.remove({"emails": [*both, "stranger@example.net"]})
    assert len(removed["data"]) == 2


def test_a_bounce_suppresses():
    to = f"bounce+{uuid.uuid4().hex}@simulator.amazonses.com"
    sent = resend.Emails.send(email(to))
    local.eventually(lambda: resend.Emails.get(sent["id"])["last_event"] == "bounced")
    suppression = resend.Suppressions.get(to)
    assert (suppression["origin"], suppression["source_id"]) == ("bounce", sent["id"])
    assert resend.Emails.get(suppression["source_id"])["to"] == [to]
    assert resend.Emails.send(email(to)).recipients[0]["reason"] == "bounce"


def test_a_webhook_is_created_changed_rotated_and_deleted():
    created = resend.Webhooks.create({"endpoint": "http://127.0.0.1:9/hook", "events": ["email.bounced", "email.sent"]})
    found = resend.Webhooks.get(created["id"])
    assert (found["status"], found["events"], found["signing_secret"]) == ("enabled", ["email.sent", "email.bounced"], None)
    assert created["id"] in [webhook["id"] for webhook in resend.Webhooks.list({"limit": 100})["data"]]
    changed = resend.Webhooks.update({"webhook_id": created["id"], "events": ["email.sent"], "status": "disabled"})
    assert changed["id"] == created["id"]
    assert resend.Webhooks.get(created["id"])["status"] == "disabled"
    rotated = resend.Webhooks.rotate_signing_secret(created["id"])
    assert rotated["signing_secret"].startswith("whsec_") and rotated["signing_secret"] != created["signing_secret"]
    assert resend.Webhooks.list_events(created["id"])["data"] == []
    refused(ResendError, lambda: resend.Webhooks.get_event(created["id"], "msg_1"), code=404, error_type="not_found")
    assert resend.Webhooks.remove(created["id"])["deleted"] is True
    refused(ResendError, lambda: resend.Webhooks.get(created["id"]), code=404, error_type="not_found")
