"""The mails that SES took, found by their envelope."""

import email
import email.policy
import json
import urllib.request

import local


def mails_to_any(recipients):
    """The mails whose envelope names one of the recipients at least, each one once."""

    def may_go_there(mail):
        people = json.dumps(mail["decoded"])
        return mail["raw"] and any(recipient in people for recipient in recipients)

    # The list is short, without content. It has no envelopes, and names the people of the header too.
    listed = local.outbox(summary=True)
    mails = [local.call("GET", f"outbox/{mail['id']}") for mail in listed if may_go_there(mail)]
    return [mail for mail in mails if set(recipients) & set(mail["envelope"]["to"])]


def mails_to(recipient):
    return mails_to_any([recipient])


def mail_to(recipient):
    [mail] = mails_to(recipient)
    return mail


def message(mail):
    """A mail as its recipients receive it."""
    with urllib.request.urlopen(f"{local.URL}/_local/outbox/{mail['id']}/source", timeout=30) as answer:
        # Python's texts have lines that end with LF.
        source = answer.read().replace(b"\r\n", b"\n")
    return email.message_from_bytes(source, policy=email.policy.default)


def message_to(recipient):
    return message(mail_to(recipient))
