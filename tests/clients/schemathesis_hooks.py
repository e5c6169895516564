"""What the contract asks for and JSON Schema cannot say: requests that break it are refused, whatever their schema says."""

import datetime
import re

import schemathesis
from schemathesis.core.parameters import ParameterLocation


def emails_of(body):
    return [email for email in (body if isinstance(body, list) else [body]) if isinstance(email, dict)]


def names_each_tag_once(email):
    tags = email.get("tags")
    if not isinstance(tags, list):
        return True
    names = [str(tag.get("name")) for tag in tags if isinstance(tag, dict)]
    return len(names) == len(set(names))


def has_at_most_fifty_recipients(email):
    fields = [email.get(name) for name in ("to", "cc", "bcc")]
    return sum(len(field) if isinstance(field, list) else 1 for field in fields) <= 50


def has_one_recipient_if_it_has_a_link(email):
    """Each person needs an unsubscribe link of their own."""
    fields = [email.get(name) or [] for name in ("to", "cc", "bcc")]
    recipients = sum(len(field) if isinstance(field, list) else 1 for field in fields)
    return email.get("okite_unsubscribe") is None or recipients == 1


def says_nothing_else_of_a_topic(body):
    """A person who left a topic has neither a reason, nor a note, nor an end."""
    return body.get("topic") is None or not any(name in body for name in ("reason", "note", "expires_at"))


def ends_in_the_future(body):
    expires_at = body.get("expires_at")
    return not isinstance(expires_at, str) or str(datetime.date.today().year) < expires_at[:4] < "2200"


def names_no_moment(email):
    """A moment in time must be ahead, and not too far: only spans of time are always right."""
    times = [email.get(name) for name in ("scheduled_at", "okite_deadline")]
    return not any(isinstance(time, str) and re.match(r"\d{4}-", time) for time in times)


def is_within_thirty_days_of_acceptance(case):
    """A span of 30 days counts from now, and the email was accepted before."""
    time = case.body.get("scheduled_at") if case.method == "PATCH" and isinstance(case.body, dict) else None
    return not (isinstance(time, str) and re.match(r"in 30 ?d", time))


def writes_bytes_as_whole_numbers(email):
    """To JSON Schema, 7.0 is an integer."""
    attachments = email.get("attachments")
    contents = [file.get("content") for file in attachments if isinstance(file, dict)] if isinstance(attachments, list) else []
    arrays = [content.get("data") if isinstance(content, dict) else content for content in contents]
    return not any(isinstance(byte, float) for array in arrays if isinstance(array, list) for byte in array)


def is_wrong_where_that_is_no_error(case):
    """A permissive batch is carried out without the emails that are wrong."""
    is_permissive = (case.headers or {}).get("x-batch-validation") == "permissive"
    body = case.meta.components.get(ParameterLocation.BODY)
    return is_permissive and body is not None and body.mode.is_negative


def asks_for_more_than_twenty(query):
    """To one address, a page has at most 20 emails."""
    limit = str(query.get("limit", ""))
    return limit.isdecimal() and int(limit) > 20


@schemathesis.hook
def filter_case(_context, case):
    query = case.query or {}
    emails = emails_of(case.body)
    return (
        not ("after" in query and "before" in query)
        and not ("topic" in query and "origin" in query)
        and not ("to" in query and asks_for_more_than_twenty(query))
        and not is_wrong_where_that_is_no_error(case)
        and is_within_thirty_days_of_acceptance(case)
        and all(writes_bytes_as_whole_numbers(email) for email in emails)
        and all(names_each_tag_once(email) and has_at_most_fifty_recipients(email) for email in emails)
        and all(has_one_recipient_if_it_has_a_link(email) for email in emails)
        and all(says_nothing_else_of_a_topic(body) for body in emails)
        and all(ends_in_the_future(body) and names_no_moment(body) for body in emails)
    )
