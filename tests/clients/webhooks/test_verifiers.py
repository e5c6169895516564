"""Events as the verifiers of Resend, of Svix and of Standard Webhooks accept them, unmodified."""

import json
import time
import uuid

import pytest
import resend
import standardwebhooks
import svix.webhooks
from conftest import registered

import local



def send(to):
    return resend.Emails.send(
        {
            "from": '"Acme, Inc." <hello@example.com>',
            "to": to,
            "subject": "Hello",
            "text": "It works.",
            "tags": [{"name": "campaign", "value": "autumn"}],
        }
    )["id"]


def verify(verifier, request):
    verifier.verify(request.body, {name.lower(): value for name, value in request.headers.items()})


def by_resend(request, secret):
    header = {name.lower(): value for name, value in request.headers.items()}
    resend.Webhooks.verify(
        {
            "payload": request.body,
            "headers": {name: header[f"svix-{name}"] for name in ["id", "timestamp", "signature"]},
            "webhook_secret": secret,
        }
    )


@pytest.fixture
def endpoint(receiver):
    with registered(receiver.url, ["email.sent", "email.delivered", "email.bounced"]) as created:
        yield created


def test_every_verifier_accepts_an_event_and_refuses_a_changed_one(endpoint, received):
    secret = endpoint["signing_secret"]
    email = send(local.address())
    request = received(email, "email.delivered")
    verifiers = [standardwebhooks.Webhook(secret), svix.webhooks.Webhook(secret)]
    for verifier in verifiers:
        verify(verifier, request)
    by_resend(request, secret)
    event = json.loads(request.body)
    assert (event["type"], event["data"]["email_id"]) == ("email.delivered", email)
    assert event["data"]["tags"] == {"campaign": "autumn"}
    assert request.headers["webhook-id"] == request.headers["svix-id"]
    request.body = request.body.replace("Hello", "Hallo")
    for verifier in verifiers:
        with pytest.raises(Exception, match="(?i)signature"):
            verify(verifier, request)
    with pytest.raises(ValueError):
        by_resend(request, secret)


def test_a_bounce_arrives_within_seconds(endpoint, received):
    began = time.monotonic()
    # An address bounces once. Afterwards it is suppressed.
    to = f"bounce+{uuid.uuid4().hex}@simulator.amazonses.com"
    email = send(to)
    data = json.loads(received(email, "email.bounced").body)["data"]
    # The test waits for as long as it takes. What it took is for the reader.
    print(f"the bounce arrived after {time.monotonic() - began:.1f} s")
    assert (data["bounce"]["type"], data["to"], data["okite_recipients"]) == ("Permanent", [to], [to])


def test_both_secrets_sign_while_one_is_replaced(endpoint, received):
    rotated = resend.Webhooks.rotate_signing_secret(endpoint["id"])
    email = send(local.address())
    request = received(email, "email.delivered")
    for secret in [endpoint["signing_secret"], rotated["signing_secret"]]:
        # The function knows an endpoint's secrets for some seconds.
        if secret == rotated["signing_secret"] and " " not in request.headers["webhook-signature"]:
            request = local.eventually(lambda: signed_by_both(received))
        standardwebhooks.Webhook(secret).verify(request.body, dict(request.headers))


def signed_by_both(received):
    time.sleep(1)
    request = received(send(local.address()), "email.delivered")
    return request if " " in request.headers["webhook-signature"] else None


def test_the_log_of_an_endpoint_has_the_event_and_replays_it(endpoint, receiver, received):
    email = send(local.address())
    request = received(email, "email.delivered")
    event_id = request.headers["webhook-id"]

    def attempts():
        return resend.Webhooks.list_event_attempts(endpoint["id"], event_id)["data"]

    [attempt] = local.eventually(attempts)
    assert (attempt["http_status_code"], attempt["response"]) == (200, "ok")
    listed = resend.Webhooks.list_events(endpoint["id"])["data"]
    assert event_id in [event["id"] for event in listed]
    assert resend.Webhooks.get_event(endpoint["id"], event_id)["payload"] == json.loads(request.body)
    resend.Webhooks.replay_event(endpoint["id"], event_id)

    def copies():
        return [copy for copy in receiver.requests if copy.headers["webhook-id"] == event_id]

    local.eventually(lambda: len(copies()) == 2)
    assert copies()[0].body == copies()[1].body


def test_an_endpoint_is_listed_changed_and_removed(receiver):
    with registered(receiver.url, ["email.sent"]) as created:
        found = resend.Webhooks.get(created["id"])
        assert (found["endpoint"], found["status"], found["events"]) == (receiver.url, "enabled", ["email.sent"])
        resend.Webhooks.update(
            {"webhook_id": created["id"], "events": ["email.bounced"], "status": "disabled"}
        )
        [found] = [one for one in resend.Webhooks.list()["data"] if one["id"] == created["id"]]
        assert (found["status"], found["events"]) == ("disabled", ["email.bounced"])
    assert created["id"] not in [one["id"] for one in resend.Webhooks.list()["data"]]


def test_wrong_endpoints_are_refused_with_the_reason():
    for endpoint, events, word in [
        ("http://example.com/hook", ["email.sent"], "https"),
        ("https://169.254.169.254/hook", ["email.sent"], "public"),
        ("https://example.com/hook", ["email.bounce"], "email.bounced"),
        ("https://example.com/hook", [], "events"),
    ]:
        with pytest.raises(resend.exceptions.ResendError) as refused:
            resend.Webhooks.create({"endpoint": endpoint, "events": events})
        assert word in str(refused.value.message), (endpoint, events)
