"""The AWS CLI against Okite: the environment names Okite."""

import json
import subprocess
import sys
import uuid

import local


def aws(*words):
    """Returns the exit code of a command, what it printed as JSON, and its complaint."""
    program = [sys.executable, "-m", "awscli", *words, "--output", "json"]
    done = subprocess.run(program, capture_output=True, text=True, timeout=120)
    return done.returncode, json.loads(done.stdout) if done.stdout.strip() else None, done.stderr


def said(*words):
    code, answer, complaint = aws(*words)
    assert code == 0, complaint
    return answer


def test_it_sends_by_both_versions(tmp_path):
    one, two, three = local.address(), local.address(), local.address()
    content = ("--subject", "Hello", "--text", "It works.")
    sent = said("ses", "send-email", "--from", "hello@example.com", "--to", one, *content)
    assert sent["MessageId"] == local.mail_to(one)["ses_message_id"]
    content = "Simple={Subject={Data=Hello},Body={Text={Data=It works.}}}"
    destination = f"ToAddresses={two}"
    sender = ("--from-email-address", "hello@example.com")
    sent = said("sesv2", "send-email", *sender, "--destination", destination, "--content", content)
    assert sent["MessageId"] == local.mail_to(two)["ses_message_id"]
    mime = tmp_path / "mail.eml"
    mime.write_text(f"From: hello@example.com\nTo: {three}\nSubject: Hello\n\nIt works.\n")
    said("sesv2", "send-email", "--content", f"Raw={{Data@=fileb://{mime}}}")
    assert local.mail_to(three)["raw"]


def test_it_reads_the_quota_and_the_suppression_list():
    assert said("ses", "get-send-quota")["Max24HourSend"] == 100_000_000
    gone = f"{uuid.uuid4().hex}@example.net"
    said("sesv2", "put-suppressed-destination", "--email-address", gone, "--reason", "BOUNCE")
    listed = said("sesv2", "list-suppressed-destinations", "--page-size", "100")["SuppressedDestinationSummaries"]
    assert gone in [entry["EmailAddress"] for entry in listed]
    code, _, complaint = aws("sesv2", "create-email-identity", "--email-identity", "example.net")
    assert code and "Identities cannot be changed through Okite: use Amazon SES itself." in complaint
