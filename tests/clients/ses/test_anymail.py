"""Django through django-anymail's backend for Amazon SES: the environment names Okite, and no setting is changed."""

import json

import pytest
from anymail.exceptions import AnymailAPIError
from anymail.message import AnymailMessage
from django.core.mail import get_connection
from django.test import override_settings

import local


@pytest.fixture
def backend():
    return get_connection("anymail.backends.amazon_ses.EmailBackend")


def message(backend, to, **fields):
    return AnymailMessage(**{"subject": "Hello", "body": "It works.", "to": to, "connection": backend} | fields)


def test_a_message_arrives_with_all_that_it_was_given(backend):
    to, bcc = local.address(), local.address()
    email = message(
        backend, [f"Zoë <{to}>"], body="Grüße.\n.\n", cc=["bob@example.net"], bcc=[bcc], reply_to=["help@example.com"],
        tags=["welcome", "new"], metadata={"user": 7},
    )
    email.attach_alternative("<p>Grüße.</p>", "text/html")
    email.attach("ünï.txt", "ünï", "text/plain")
    assert email.send() == 1
    mail = local.mail_to(to)
    assert email.anymail_status.message_id == mail["ses_message_id"]
    assert (email.anymail_status.status, email.anymail_status.recipients[bcc].status) == ({"queued"}, "queued")
    assert mail["envelope"] == {"from": "hello@example.com", "to": [to, "bob@example.net", bcc]}
    assert (mail["cc"], mail["bcc"], mail["reply_to"]) == (["bob@example.net"], [bcc], ["help@example.com"])
    assert (mail["text"], mail["html"].strip()) == ("Grüße.\n.\n", "<p>Grüße.</p>")
    assert [file["filename"] for file in mail["attachments"]] == ["ünï.txt"]
    # Its webhooks read both from the headers, which SES repeats in its events.
    assert json.loads(mail["headers"]["X-Metadata"]) == {"user": 7} and "X-Tag" in mail["headers"]


def test_a_tag_by_name_is_a_tag_of_ses(backend):
    to = local.address()
    email = message(backend, [to], tags=["welcome"])
    email.esp_extra = {"EmailTags": [{"Name": "shop", "Value": "17"}]}
    email.send()
    assert local.own_tags(local.mail_to(to))["shop"] == "17"
    to = local.address()
    with override_settings(ANYMAIL={"AMAZON_SES_MESSAGE_TAG_NAME": "Campaign"}):
        message(get_connection("anymail.backends.amazon_ses.EmailBackend"), [to], tags=["welcome"]).send()
    assert local.own_tags(local.mail_to(to))["Campaign"] == "welcome"


def test_errors_have_their_cause(backend):
    with pytest.raises(AnymailAPIError, match="Email address is not verified") as raised:
        message(backend, [local.address()], from_email="hello@example.net").send()
    assert raised.value.response["Error"]["Code"] == "MessageRejected"
    # Anymail renders templates and merges by SendBulkEmail, which SES alone has.
    with pytest.raises(AnymailAPIError, match="SendBulkEmail is not supported"):
        message(backend, [local.address()], subject="", body="", template_id="welcome", merge_data={}).send()
