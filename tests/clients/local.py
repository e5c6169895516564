"""The running `okite up` beside the clients: its outbox and its faults."""

import contextlib
import json
import os
import time
import urllib.request
import uuid

URL = os.environ["OKITE_URL"]


def call(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{URL}/_local/{path}", data, method=method)
    with urllib.request.urlopen(request, timeout=30) as answer:
        content = answer.read()
    return json.loads(content) if content else None


def get(path):
    """What the API answers to a key that may read."""
    headers = {"Authorization": f"Bearer {os.environ['RESEND_API_KEY']}"}
    with urllib.request.urlopen(urllib.request.Request(f"{URL}{path}", headers=headers), timeout=30) as answer:
        return json.loads(answer.read())


def address():
    """An address of the test's own: nobody else writes to it."""
    return f"success+{uuid.uuid4().hex}@simulator.amazonses.com"


def outbox(summary=False):
    """The newest thousand mails that Amazon SES took, oldest first."""
    return call("GET", f"outbox?limit=1000&summary={str(summary).lower()}")["data"][::-1]


def mails_to(recipient):
    """The mails that Amazon SES took for a recipient on the To line."""
    return [mail for mail in outbox() if any(recipient in to for to in mail["to"])]


def mail_to(recipient):
    [mail] = mails_to(recipient)
    return mail


def own_tags(mail):
    """The tags without those that Okite adds."""
    return {tag["name"]: tag["value"] for tag in mail["tags"] if not tag["name"].startswith("okite_")}


@contextlib.contextmanager
def fault(operation, error):
    call("POST", "faults", {"operation": operation, "error": error, "for_ms": 600_000})
    try:
        yield
    finally:
        call("DELETE", "faults")


def eventually(condition):
    for _ in range(600):
        if found := condition():
            return found
        time.sleep(0.05)
    raise AssertionError("it never came to be")


@contextlib.contextmanager
def sending_rate(rate):
    """An account with this rate, which the gate keeps. Afterwards both have the one of before."""
    before = call("GET", "account")["max_send_rate"]
    try:
        call("PUT", "account", {"max_send_rate": rate})
        call("POST", "schedule")
        yield
    finally:
        call("PUT", "account", {"max_send_rate": before})
        call("POST", "schedule")
