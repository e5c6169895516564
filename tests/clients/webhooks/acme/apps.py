"""Writes each event that the application hears of as a line of JSON, by anymail's signal."""

import json
import os

from django.apps import AppConfig


class AcmeConfig(AppConfig):
    name = "acme"

    def ready(self):
        from anymail.signals import tracking

        tracking.connect(write, dispatch_uid="events")


def write(sender, event, esp_name, **_):
    names = ["event_type", "message_id", "event_id", "recipient", "reject_reason", "tags", "metadata", "description"]
    line = json.dumps({"esp": esp_name} | {name: getattr(event, name) for name in names})
    with open(os.environ["EVENTS_FILE"], "a", encoding="utf-8") as file:
        file.write(line + "\n")
