"""A real project of Django: one command registers anymail's URL, and the project hears of a bounce."""

import json
import os
import re
import socket
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from pathlib import Path

import local

OKITE = "target/debug/okite"
ENVIRONMENT = os.environ | {
    "DJANGO_SETTINGS_MODULE": "acme.settings",
    "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ["PYTHONPATH"]]),
}
SEND = """
import os
import django
django.setup()
from anymail.message import AnymailMessage
message = AnymailMessage("Hello", "It works.", to=[os.environ["TO"]])
message.tags, message.metadata = ["autumn"], {"order": 7}
message.send()
print(message.anymail_status.message_id)
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def is_up(url):
    try:
        urllib.request.urlopen(url, timeout=5)
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def test_a_bounce_becomes_a_signal_of_the_project(tmp_path):
    events_file = tmp_path / "events"
    # An address bounces once. Afterwards it is suppressed.
    to = f"bounce+{uuid.uuid4().hex}@simulator.amazonses.com"
    url = f"http://127.0.0.1:{(port := free_port())}/anymail/resend/tracking/"
    created = subprocess.run(
        [OKITE, "webhooks", "create", url, "--events", "email.bounced,email.delivered", "--data-dir",
         os.environ["OKITE_DATA_DIR"]],
        capture_output=True, text=True, check=True,
    )
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", created.stdout)[0]
    environment = ENVIRONMENT | {"RESEND_SIGNING_SECRET": secret, "EVENTS_FILE": str(events_file), "TO": to}
    server = subprocess.Popen(
        [sys.executable, "-m", "django", "runserver", "--noreload", f"127.0.0.1:{port}"], env=environment,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )
    try:
        local.eventually(lambda: is_up(url))
        sent = subprocess.run(
            [sys.executable, "-c", SEND], env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()
        line = local.eventually(lambda: events_file.read_text() if events_file.exists() else None)
        event = json.loads(line)
        assert (event["esp"], event["event_type"], event["message_id"]) == ("Resend", "bounced", sent)
        assert (event["recipient"], event["reject_reason"]) == (to, "bounced")
        assert (event["tags"], event["metadata"]) == (["autumn"], {"order": 7})
        assert event["event_id"].startswith("msg_")
    finally:
        server.terminate()
        server.wait()
