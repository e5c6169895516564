"""swaks and msmtp, programs that send mail from the command line."""

import subprocess

import pytest

import local
import okite_smtp
import outbox

# The ways in that want a key.
with_keys = pytest.mark.parametrize("door", ["plain", "starttls", "tls"], indirect=True)


def run(*arguments, stdin=""):
    return subprocess.run(arguments, input=stdin, capture_output=True, text=True)


def swaks(door, certificate, *arguments, mechanism="PLAIN", key=okite_smtp.KEY):
    options = ["--server", "127.0.0.1", "--port", str(door.port), "--from", "hello@example.com"]
    if not door.is_local:
        options += ["--auth", mechanism, "--auth-user", "okite", "--auth-password", key]
    if door.starttls or door.implicit_tls:
        trust = ["--tls-verify", "--tls-ca-path", str(certificate.certificate)]
        options += ["--tls-on-connect" if door.implicit_tls else "--tls", *trust]
    return run("swaks", *options, *arguments)


@pytest.mark.parametrize("mechanism", ["PLAIN", "LOGIN"])
def test_swaks_sends_a_mail_with_a_file(door, certificate, tmp_path, mechanism):
    file = tmp_path / "a.bin"
    file.write_bytes(bytes(range(256)))
    to, other = local.address(), local.address()
    sent = swaks(
        door, certificate, "--to", f"{to},{other}", "--header", "Subject: Hello", "--body", "It works.",
        "--attach", f"@{file}", mechanism=mechanism,
    )
    assert sent.returncode == 0, sent.stdout + sent.stderr
    mail = outbox.mail_to(to)
    assert (sorted(mail["envelope"]["to"]), mail["subject"]) == (sorted([to, other]), "Hello")
    [attachment] = outbox.message(mail).iter_attachments()
    assert attachment.get_content() == file.read_bytes()


def test_swaks_shows_a_refusal(door, certificate):
    to = local.address()
    sent = swaks(door, certificate, "--to", to, "--header", "From: hello@unverified.example")
    # 26: the content was refused.
    assert sent.returncode == 26 and "554 5.6.0 Message rejected: " in sent.stdout, sent.stdout
    assert outbox.mails_to(to) == []


@with_keys
def test_swaks_shows_that_the_key_is_wrong(door, certificate):
    sent = swaks(door, certificate, "--to", local.address(), key="ok_nobody_knows")
    # 28: no authentication.
    assert sent.returncode == 28 and "535 5.7.8 " in sent.stdout, sent.stdout


@pytest.fixture
def msmtp(door, certificate, tmp_path):
    def configured(key=okite_smtp.KEY):
        settings = ["account default", "host 127.0.0.1", f"port {door.port}", "from hello@example.com"]
        if not door.is_local:
            settings += ["auth plain", "user okite", f"password {key}"]
        if door.starttls or door.implicit_tls:
            starttls = "on" if door.starttls else "off"
            settings += ["tls on", f"tls_starttls {starttls}", f"tls_trust_file {certificate.certificate}"]
        file = tmp_path / "msmtprc"
        file.write_text("\n".join(settings) + "\n")
        file.chmod(0o600)
        return lambda mail: run("msmtp", "-C", file, "-t", stdin=mail)

    return configured


def test_msmtp_sends_to_the_recipients_that_the_mail_names(msmtp):
    to, bcc = local.address(), local.address()
    sent = msmtp()(f"From: hello@example.com\nTo: {to}\nBcc: {bcc}\nSubject: Hello\n\nIt works.\n.\n")
    assert sent.returncode == 0, sent.stderr
    mail = outbox.mail_to(to)
    assert (sorted(mail["envelope"]["to"]), mail["subject"]) == (sorted([to, bcc]), "Hello")
    message = outbox.message(mail)
    assert message["Bcc"] is None and message.get_content() == "It works.\n.\n"


def test_msmtp_shows_a_refusal(msmtp):
    sent = msmtp()(f"From: hello@unverified.example\nTo: {local.address()}\n\nIt works.\n")
    assert sent.returncode != 0 and "554 5.6.0 Message rejected: " in sent.stderr, sent.stderr


@with_keys
def test_msmtp_shows_that_the_key_is_wrong(msmtp):
    sent = msmtp(key="ok_nobody_knows")(f"From: hello@example.com\nTo: {local.address()}\n\nIt works.\n")
    assert sent.returncode != 0 and "535 5.7.8 " in sent.stderr, sent.stderr
