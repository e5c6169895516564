"""Python's smtplib, which many applications use directly."""

import contextlib
import email.message
import email.utils
import os
import smtplib
import ssl
import uuid

import pytest

import local
import okite_smtp
import outbox


@contextlib.contextmanager
def connected(door, certificate):
    """A connection that is encrypted and authenticated as the door wants it."""
    context = ssl.create_default_context(cafile=certificate.certificate)
    smtp = smtplib.SMTP_SSL("127.0.0.1", door.port, context=context) if door.implicit_tls else \
        smtplib.SMTP("127.0.0.1", door.port)
    with smtp:
        if door.starttls:
            smtp.starttls(context=context)
        if not door.is_local:
            smtp.login("okite", okite_smtp.KEY)
        yield smtp


@pytest.fixture
def smtp(door, certificate):
    with connected(door, certificate) as smtp:
        yield smtp


def hello(to, **fields):
    message = email.message.EmailMessage()
    for name, value in ({"From": "Acme <hello@example.com>", "To": to, "Subject": "Hello"} | fields).items():
        message[name] = value
    message.set_content("It works.\n")
    return message


def answer_to(smtp, message, recipients):
    """Sends a mail, and returns the code and the text of the answer to its content. smtplib keeps them to itself."""
    smtp.ehlo_or_helo_if_needed()
    assert smtp.mail("hello@example.com")[0] == 250
    for recipient in recipients:
        assert smtp.rcpt(recipient)[0] == 250
    code, text = smtp.data(message.as_bytes())
    return code, text.decode()


def test_a_text_and_a_subject_beyond_ascii_arrive(smtp):
    to = local.address()
    message = hello(to, Subject="Ünï — ✓" * 12)
    message.set_content("Grüße\n.\n..\n.Ende\n", cte="8bit")
    assert smtp.send_message(message) == {}
    arrived = outbox.message_to(to)
    assert arrived["Subject"] == "Ünï — ✓" * 12 and arrived.get_content() == "Grüße\n.\n..\n.Ende\n"


@pytest.mark.parametrize("door", ["up", "tls"], indirect=True)
def test_a_mail_of_three_megabytes_arrives(smtp):
    to, file = local.address(), os.urandom(2_200_000)
    message = hello(to)
    message.add_attachment(file, maintype="application", subtype="zip", filename="a.zip")
    assert len(message.as_bytes()) > 2_950_000
    assert smtp.send_message(message) == {}
    [attachment] = outbox.message_to(to).iter_attachments()
    assert attachment.get_content() == file


def test_a_mail_that_is_too_large_is_refused_before_it_is_sent(smtp):
    message = hello(local.address())
    message.add_attachment(bytes(4_400_000), maintype="application", subtype="zip", filename="a.zip")
    with pytest.raises(smtplib.SMTPSenderRefused) as raised:
        smtp.send_message(message)
    assert raised.value.smtp_code == 552


def test_sixty_recipients_get_one_mail_each(smtp):
    recipients = [local.address() for _ in range(60)]
    code, text = answer_to(smtp, hello("everybody@example.com"), recipients)
    assert code == 250 and "and 1 more" in text
    groups = [mail["envelope"]["to"] for mail in outbox.mails_to_any(recipients)]
    assert sorted(len(group) for group in groups) == [10, 50]
    assert sorted(sum(groups, [])) == sorted(recipients)


def test_a_suppressed_recipient_gets_no_mail_and_the_answer_says_so(smtp):
    bounced, good = f"bounce+{uuid.uuid4().hex}@simulator.amazonses.com", local.address()
    code, text = answer_to(smtp, hello(bounced), [bounced])
    assert code == 250 and "suppressed" not in text
    says = lambda recipients: answer_to(smtp, hello("all@example.com"), recipients)[1]
    local.eventually(lambda: "; no mail to suppressed recipients: 1 of 1" in says([bounced]))
    before = len(outbox.mails_to(bounced))
    assert "; no mail to suppressed recipients: 1 of 2" in says([bounced, good])
    assert outbox.mail_to(good)["envelope"]["to"] == [good] and len(outbox.mails_to(bounced)) == before


def test_a_sender_that_is_not_verified_is_refused_and_the_connection_goes_on(smtp):
    to = local.address()
    with pytest.raises(smtplib.SMTPDataError) as raised:
        smtp.send_message(hello(to, From="hello@unverified.example"))
    assert raised.value.smtp_code == 554 and b"5.6.0 Message rejected: " in raised.value.smtp_error
    assert smtp.send_message(hello(to)) == {}
    assert outbox.mail_to(to)["subject"] == "Hello"


def test_a_recipient_that_ses_does_not_accept_is_refused_alone(smtp):
    to = local.address()
    refused = smtp.send_message(hello(to), to_addrs=[to, "bob@localhost"])
    assert refused.keys() == {"bob@localhost"} and refused["bob@localhost"][0] == 550
    assert outbox.mail_to(to)["envelope"]["to"] == [to]


def test_a_mail_that_comes_twice_is_one_mail_if_it_has_a_message_id(door, certificate):
    to = local.address()
    message = hello(to, **{"Message-ID": email.utils.make_msgid(domain="example.com")})
    answers = []
    for _ in range(2):
        with connected(door, certificate) as smtp:
            answers.append(answer_to(smtp, message, [to]))
    assert answers[0] == answers[1] and answers[0][0] == 250
    assert outbox.mail_to(to)["subject"] == "Hello"


def test_two_mails_without_message_id_are_two_mails(smtp):
    to = local.address()
    answers = {answer_to(smtp, hello(to), [to]) for _ in range(2)}
    assert len(answers) == 2 and len(outbox.mails_to(to)) == 2


@pytest.mark.parametrize("key", ["password", "ok_nobody_knows", okite_smtp.KEY + "x"])
def test_a_wrong_password_is_refused(door, certificate, key):
    context = ssl.create_default_context(cafile=certificate.certificate)
    smtp = smtplib.SMTP_SSL("127.0.0.1", door.port, context=context) if door.implicit_tls else \
        smtplib.SMTP("127.0.0.1", door.port)
    with smtp:
        if door.starttls:
            smtp.starttls(context=context)
        with pytest.raises(smtplib.SMTPAuthenticationError) as raised:
            smtp.login("okite", key)
        assert raised.value.smtp_code == 535
