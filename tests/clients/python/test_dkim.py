"""A message with a DKIM signature still verifies after Okite and the simulated SES passed it on."""

import base64
import json
import os
import urllib.parse
import urllib.request

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import local

# Spaces at the ends of lines, unusual folds, a signed field that stands twice, and bytes above 127.
BODY = "Grüße   \r\n\r\n.dots\r\n\ttabs \t\r\n\r\n\r\n".encode("latin-1")


@pytest.fixture(scope="module")
def key():
    """A private key, and what DNS says of its public half."""
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(public)
    return pem, lambda name, timeout=5: record if name == b"s1._domainkey.example.com." else None


def message(to):
    fields = [
        "From: Acme\r\n  <hello@example.com>",
        f"To: {to},\r\n\tgone-dkim@example.net",
        "Bcc: hidden@example.net,\r\n also-hidden@example.net",
        "Subject:  =?utf-8?q?Gr=C3=BC=C3=9Fe?=  ",
        "Date: Thu, 01 Jan 2026 00:00:00 +0000",
        "Message-ID: <1@example.com>",
        "X-SES-MESSAGE-TAGS: shop=17",
        "X-Trail: one",
        "X-Trail: two",
        'Content-Type: text/plain; charset="iso-8859-1"',
        "Content-Transfer-Encoding: 8bit",
    ]
    return "\r\n".join(fields).encode() + b"\r\n\r\n" + BODY


def signed(key, to, canonicalization):
    pem, _ = key
    mail = message(to)
    # SES replaces Message-ID and Date, so AWS tells signers to leave both out.
    include = [b"from", b"to", b"subject", b"x-trail", b"x-trail", b"content-type", b"content-transfer-encoding"]
    canonicalize = tuple(part.encode() for part in canonicalization.split("/"))
    signature = dkim.sign(mail, b"s1", b"example.com", pem, canonicalize=canonicalize, include_headers=include)
    return signature + mail


def post(path, content_type, body):
    headers = {"Authorization": f"Bearer {os.environ['RESEND_API_KEY']}", "Content-Type": content_type}
    request = urllib.request.Request(f"{local.URL}{path}", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.headers["x-okite-suppressed"] == "1"


def send_v1(mail, to):
    form = {
        "Action": "SendRawEmail",
        "Version": "2010-12-01",
        "RawMessage.Data": base64.b64encode(mail),
        "Destinations.member.1": to,
        "Destinations.member.2": "gone-dkim@example.net",
    }
    post("/", "application/x-www-form-urlencoded", urllib.parse.urlencode(form).encode())


def send_v2(mail, to):
    body = {
        "Destination": {"ToAddresses": [to, "gone-dkim@example.net"]},
        "Content": {"Raw": {"Data": base64.b64encode(mail).decode()}},
    }
    post("/v2/email/outbound-emails", "application/json", json.dumps(body).encode())


def source(to):
    """The bytes that the recipient receives."""
    [mail] = [mail for mail in local.outbox() if mail["raw"] and mail["envelope"]["to"] == [to]]
    url = f"{local.URL}/_local/outbox/{mail['ses_message_id']}/source"
    with urllib.request.urlopen(url, timeout=30) as answer:
        return answer.read()


@pytest.fixture(scope="module", autouse=True)
def suppressed():
    """A recipient who is left out, so that the envelope is shorter than the signed header."""
    headers = {"Authorization": f"Bearer {os.environ['RESEND_API_KEY']}", "Content-Type": "application/json"}
    body = json.dumps({"email": "gone-dkim@example.net"}).encode()
    request = urllib.request.Request(f"{local.URL}/suppressions", body, headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert answer.status == 201


@pytest.mark.parametrize("send", [send_v1, send_v2])
@pytest.mark.parametrize("canonicalization", ["simple/simple", "relaxed/relaxed", "relaxed/simple"])
def test_a_signed_message_verifies_after_it_was_passed_on(key, send, canonicalization):
    _, dns = key
    to = local.address()
    mail = signed(key, to, canonicalization)
    assert dkim.verify(mail, dnsfunc=dns)
    send(mail, to)
    received = source(to)
    assert dkim.verify(received, dnsfunc=dns)
    assert b"hidden@example.net" not in received and b"X-SES-MESSAGE-TAGS" not in received
    # The check can fail.
    assert not dkim.verify(received.replace(b"dots", b"cuts"), dnsfunc=dns)
    assert not dkim.verify(received.replace(b"one", b"two"), dnsfunc=dns)
