"""Django's own SMTP backend with the settings of docs/SMTP.md."""

import contextlib
import smtplib
import ssl

import django
import pytest
from django.conf import settings
from django.core.mail import EmailMessage, EmailMultiAlternatives, get_connection, send_mail
from django.test.utils import override_settings

import documented
import local
import outbox

settings.configure(DEFAULT_FROM_EMAIL='"Acme, Inc." <hello@example.com>')
django.setup()

FILE = bytes(range(256)) * 10


@pytest.fixture
def application(door, certificate, monkeypatch):
    """The settings of an application that trusts the certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.certificate))
    with override_settings(**documented.evaluated("Django", door)):
        yield door


def test_the_documented_settings_are_those_of_django(door):
    names = set(documented.evaluated("Django", door))
    assert {"EMAIL_HOST", "EMAIL_PORT"} <= names
    assert ({"EMAIL_HOST_USER", "EMAIL_HOST_PASSWORD"} <= names) != door.is_local
    assert ("EMAIL_USE_TLS" in names, "EMAIL_USE_SSL" in names) == (door.starttls, door.implicit_tls)


def test_send_mail_works_as_in_any_django(application):
    to = local.address()
    assert send_mail("Ünï", "It works.", None, [to]) == 1
    mail = outbox.mail_to(to)
    assert (mail["from"], mail["subject"]) == ('"Acme, Inc." <hello@example.com>', "Ünï")
    assert outbox.message(mail).get_content() == "It works.\n"


def test_an_email_arrives_with_its_parts_and_its_files(application):
    to, cc, bcc = (local.address() for _ in range(3))
    message = EmailMultiAlternatives(
        "Hello", "It works.", to=[f"Ünï <{to}>"], cc=[cc], bcc=[bcc], reply_to=["help@example.com"],
        headers={"X-Entity-Ref-ID": "1"},
    )
    message.attach_alternative("<p>It works.</p>", "text/html")
    message.attach("ünï.pdf", FILE, "application/pdf")
    assert message.send() == 1
    mail = outbox.mail_to(to)
    assert sorted(mail["envelope"]["to"]) == sorted([to, cc, bcc])
    arrived = outbox.message(mail)
    assert (arrived["To"], arrived["Cc"], arrived["Bcc"]) == (f"Ünï <{to}>", cc, None)
    assert (arrived["Reply-To"], arrived["X-Entity-Ref-ID"]) == ("help@example.com", "1")
    texts = [arrived.get_body(kind).get_content().strip() for kind in (["plain"], ["html"])]
    assert texts == ["It works.", "<p>It works.</p>"]
    [file] = arrived.iter_attachments()
    assert (file.get_filename(), file.get_content_type()) == ("ünï.pdf", "application/pdf")
    assert file.get_content() == FILE


def test_one_connection_sends_several_mails(application):
    recipients = [local.address() for _ in range(5)]
    before = len(application.server.connections()) if application.server else 0
    with get_connection() as connection:
        assert connection.send_messages([EmailMessage("Hello", "It works.", to=[to]) for to in recipients]) == 5
    for to in recipients:
        assert outbox.mail_to(to)["subject"] == "Hello"
    if application.server:
        local.eventually(lambda: len(application.server.connections()) == before + 5)
        assert len(set(application.server.connections()[before:])) == 1


def test_a_refusal_is_an_exception_unless_it_is_not_wished(application):
    to = local.address()
    with pytest.raises(smtplib.SMTPDataError) as raised:
        send_mail("Hello", "It works.", "hello@unverified.example", [to])
    assert raised.value.smtp_code == 554 and b"not verified" in raised.value.smtp_error
    assert send_mail("Hello", "It works.", "hello@unverified.example", [to], fail_silently=True) == 0
    assert outbox.mails_to(to) == []


def test_a_wrong_key_is_an_exception(application):
    with override_settings(EMAIL_HOST_USER="okite", EMAIL_HOST_PASSWORD="ok_nobody_knows"):
        with pytest.raises(smtplib.SMTPAuthenticationError) as raised:
            send_mail("Hello", "It works.", None, [local.address()])
    assert raised.value.smtp_code == 535


def test_a_certificate_that_nobody_trusts_is_refused(door, monkeypatch):
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    to = local.address()
    is_encrypted = door.starttls or door.implicit_tls
    expected = pytest.raises(ssl.SSLCertVerificationError) if is_encrypted else contextlib.nullcontext()
    with override_settings(**documented.evaluated("Django", door)), expected:
        send_mail("Hello", "It works.", None, [to])
    assert len(outbox.mails_to(to)) == (0 if is_encrypted else 1)
