"""Runs `okite up` and `okite smtp` in the network of this program, and speaks to them as another machine would."""

import base64
import json
import os
import pathlib
import signal
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time

HOST, STARTTLS_PORT, TLS_PORT = "192.0.2.1", 2587, 2465
MAIL = b"From: hello@example.com\r\nTo: bob@example.net\r\nSubject: Hello\r\n\r\nIt works.\r\n"


def connect(smtp):
    smtp.ehlo()
    return smtp


def main(certificate, *options):
    with tempfile.TemporaryDirectory() as folder:
        okite = start_okite(pathlib.Path(folder))
        try:
            described = json.loads((pathlib.Path(folder) / "local.json").read_text())
            names = {"OKITE_URL": "url", "RESEND_API_KEY": "api_key", "OKITE_SMTP": "smtp"}
            os.environ |= {variable: described[name] for variable, name in names.items()}
            # It reads the environment.
            import okite_smtp

            with okite_smtp.running(*options) as server:
                assert (server.port, server.tls_port) == (STARTTLS_PORT, TLS_PORT)
                speak(certificate, okite_smtp.KEY)
            assert len(server.connections()) == 2
        finally:
            okite.send_signal(signal.SIGINT)
            okite.wait(60)
    print("all is as documented")


def start_okite(folder):
    up = ["target/debug/okite", "up", "--port", "0", "--smtp-port", "0", "--data-dir", folder]
    okite = subprocess.Popen(up, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    while not (folder / "local.json").exists():
        assert okite.poll() is None
        time.sleep(0.05)
    return okite


def speak(certificate, key):
    context = ssl.create_default_context(cafile=certificate)
    response = base64.b64encode(b"\0okite\0" + key.encode()).decode()
    with connect(smtplib.SMTP(HOST, STARTTLS_PORT)) as smtp:
        assert smtp.has_extn("starttls") and not smtp.has_extn("auth")
        # smtplib would not even ask.
        first = (530, b"5.7.0 Say STARTTLS first")
        assert smtp.docmd("AUTH", f"PLAIN {response}") == first
        assert smtp.docmd("AUTH", "LOGIN") == first
        assert smtp.mail("hello@example.com") == first
        smtp.starttls(context=context)
        smtp.ehlo()
        assert smtp.mail("hello@example.com")[0] == 530
        smtp.login("okite", key)
        assert smtp.sendmail("hello@example.com", "bob@example.net", MAIL) == {}
    with connect(smtplib.SMTP_SSL(HOST, TLS_PORT, context=context)) as smtp:
        assert not smtp.has_extn("starttls")
        smtp.login("okite", key)
        assert smtp.sendmail("hello@example.com", "bob@example.net", MAIL) == {}


main(*sys.argv[1:])
