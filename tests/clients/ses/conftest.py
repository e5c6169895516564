"""What the tests of the SES clients share: the project of Django with its database, and clients of boto3."""

import os
from types import SimpleNamespace

import boto3
import django
import pytest
from botocore.config import Config

os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()

from django.core.management import call_command  # noqa: E402  Django must be set up first.

call_command("migrate", verbosity=0)


def header(client, name, value):
    """Lets a client of boto3 send a header with each call."""
    client.meta.events.register("before-call", lambda params, **_: params["headers"].update({name: value}))
    return client


@pytest.fixture
def aws():
    """Clients as an application makes them: the environment names Okite."""
    return SimpleNamespace(ses=boto3.client("ses"), sesv2=boto3.client("sesv2"))


@pytest.fixture
def impatient():
    """Clients that neither repeat a call nor wait for room."""
    once = Config(retries={"total_max_attempts": 1})
    clients = {name: boto3.client(name, config=once) for name in ["ses", "sesv2"]}
    return SimpleNamespace(**{name: header(client, "okite-when-busy", "refuse") for name, client in clients.items()})
