"""Django through django-anymail's backend for Resend: two settings are all that is changed."""

import base64
import datetime
import os
import uuid

import django
import pytest
from anymail.exceptions import AnymailRequestsAPIError
from anymail.message import AnymailMessage
from django.conf import settings
from django.core.mail import EmailMultiAlternatives, send_mail

import local

settings.configure(
    EMAIL_BACKEND="anymail.backends.resend.EmailBackend",
    ANYMAIL={"RESEND_API_URL": os.environ["OKITE_URL"], "RESEND_API_KEY": os.environ["RESEND_API_KEY"]},
    DEFAULT_FROM_EMAIL='"Acme, Inc." <hello@example.com>',
    INSTALLED_APPS=["anymail"],
)
django.setup()

FILE = bytes(range(256))


def refused(status, name, message):
    with pytest.raises(AnymailRequestsAPIError) as raised:
        message.send()
    assert (raised.value.status_code, raised.value.response.json()["name"]) == (status, name)
    assert name in str(raised.value)


def test_send_mail_works_as_in_any_django():
    to = local.address()
    assert send_mail("Ünï", "It works.", None, [to]) == 1
    mail = local.mail_to(to)
    assert (mail["from"], mail["subject"], mail["text"]) == ('"Acme, Inc." <hello@example.com>', "Ünï", "It works.")


def test_an_email_arrives_with_all_that_it_was_given():
    to = local.address()
    message = EmailMultiAlternatives(
        "Hello", "It works.", to=[f"Ünï <{to}>"], cc=["bob@example.net"], bcc=["carol@example.net"],
        reply_to=["help@example.com"], headers={"X-Entity-Ref-ID": "1"},
    )
    message.attach_alternative("<p>It works.</p>", "text/html")
    message.attach("a.pdf", FILE, "application/pdf")
    message.attach("ünï.txt", "ünï", "text/plain")
    assert message.send() == 1
    status = message.anymail_status
    assert uuid.UUID(status.message_id) and status.recipients[to].status == "queued"
    mail = local.mail_to(to)
    assert (mail["cc"], mail["bcc"], mail["reply_to"]) == (["bob@example.net"], ["carol@example.net"], ["help@example.com"])
    assert (mail["text"], mail["html"], mail["headers"]["X-Entity-Ref-ID"]) == ("It works.", "<p>It works.</p>", "1")
    files = mail["attachments"]
    assert (files[0]["filename"], files[0]["content_type"]) == ("a.pdf", "application/pdf")
    assert [base64.b64decode(file["content"]) for file in files] == [FILE, "ünï".encode()]


def test_tags_and_metadata_are_headers_and_tags_of_ses_where_they_fit():
    to = local.address()
    message = AnymailMessage("Hello", "It works.", to=[to], tags=["welcome"], metadata={"user": "7"})
    message.esp_extra = {"tags": [{"name": "campaign", "value": "spring"}]}
    message.send()
    mail = local.mail_to(to)
    assert {"X-Tags", "X-Metadata"} <= set(mail["headers"])
    tags = local.own_tags(mail)
    assert (tags["campaign"], tags["user"]) == ("spring", "7") and "welcome" in tags.values() | tags.keys()


def test_a_batch_sends_each_recipient_an_email_of_its_own():
    both = [local.address(), local.address()]
    message = AnymailMessage("Hello", "It works.", to=both)
    message.merge_metadata = {to: {"user": str(index)} for index, to in enumerate(both)}
    message.send()
    recipients = message.anymail_status.recipients
    assert len({recipients[to].message_id for to in both}) == 2
    for index, to in enumerate(both):
        mail = local.mail_to(to)
        assert mail["to"] == [to] and f'"{index}"' in mail["headers"]["X-Metadata"]


def test_an_email_is_scheduled():
    aware = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)
    for send_at in (aware, aware.replace(microsecond=0), aware.replace(microsecond=0).isoformat()):
        to = local.address()
        message = AnymailMessage("Hello", "It works.", to=[to], send_at=send_at)
        assert message.send() == 1
        shown = local.get(f"/emails/{message.anymail_status.message_id}")
        assert shown["last_event"] == "scheduled"
        # The backend sends milliseconds.
        scheduled_at = datetime.datetime.fromisoformat(shown["scheduled_at"])
        assert abs(scheduled_at - aware) < datetime.timedelta(seconds=1)
        assert local.mails_to(to) == []


def test_a_batch_is_scheduled():
    both = [local.address(), local.address()]
    send_at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=2)
    message = AnymailMessage("Hello", "It works.", to=both, send_at=send_at)
    message.merge_metadata = {to: {"user": to[:20]} for to in both}
    message.send()
    for to in both:
        id = message.anymail_status.recipients[to].message_id
        assert local.get(f"/emails/{id}")["last_event"] == "scheduled"


def test_an_inline_image_keeps_its_content_id():
    to = local.address()
    message = AnymailMessage("Hello", "It works.", to=[to])
    cid = message.attach_inline_image(FILE, "logo.png", subtype="png")
    message.attach_alternative(f'<img src="cid:{cid}">', "text/html")
    message.send()
    [file] = local.mail_to(to)["attachments"]
    assert file["content_id"] == cid and base64.b64decode(file["content"]) == FILE


def test_errors_are_the_exceptions_of_anymail():
    hello = lambda **fields: AnymailMessage("Hello", "It works.", **({"to": [local.address()]} | fields))
    refused(403, "validation_error", hello(from_email="hello@unverified.example"))
    refused(422, "validation_error", hello(headers={"Return-Path": "x@example.com"}))
    refused(422, "validation_error", hello(send_at="tomorrow"))
    refused(422, "validation_error", hello(send_at="2999-01-01T00:00:00Z"))
    with local.fault("SendEmail", "LimitExceededException"):
        refused(429, "rate_limit_exceeded", hello(esp_extra={"okite_when_busy": "refuse"}))
        assert hello().send() == 1
    with local.fault("BatchGetItem", "ThrottlingException"):
        refused(503, "service_unavailable", hello())
    message = hello()
    message.connection = django.core.mail.get_connection(api_key="ok_nobody_knows")
    refused(403, "invalid_api_key", message)


def test_a_suppressed_recipient_is_left_out_or_refuses_the_email_if_that_is_wished():
    bounced = f"bounce+{uuid.uuid4().hex}@simulator.amazonses.com"
    send_mail("Hello", "It bounces.", None, [bounced])
    reject = AnymailMessage("Hello", "It works.", to=[bounced], esp_extra={"okite_on_suppressed": "reject"})

    def is_refused():
        try:
            reject.send()
        except AnymailRequestsAPIError as error:
            return error.status_code == 422

    local.eventually(is_refused)
    good, before = local.address(), len(local.mails_to(bounced))
    send_mail("Hello", "It works.", None, [bounced, good])
    assert local.mail_to(good)["to"] == [good] and len(local.mails_to(bounced)) == before


def test_headers_and_names_beyond_ascii_arrive_encoded():
    to = local.address()
    headers = {"X-Campaign": "Frühling", "Message-ID": "<1@example.com>"}
    message = EmailMultiAlternatives("Hello", "It works.", "Zoë <zoe@example.com>", [to], headers=headers)
    assert message.send() == 1
    mail = local.mail_to(to)
    assert mail["headers"] == {"X-Campaign": "=?utf-8?b?RnLDvGhsaW5n?="}
    assert mail["from"] == "=?utf-8?b?Wm/Dqw==?= <zoe@example.com>"


def test_an_inline_image_is_shown():
    to = local.address()
    message = AnymailMessage("Hello", "It works.", to=[to])
    cid = message.attach_inline_image(FILE, filename="logo.png", subtype="png")
    message.attach_alternative(f'<img src="cid:{cid}">', "text/html")
    assert message.send() == 1
    [image] = local.mail_to(to)["attachments"]
    assert (image["content_id"], image["content_type"]) == (cid, "image/png")
