"""boto3 against Okite, by both versions of the API: the environment names Okite, and the code is that for SES."""

import datetime
import re
import uuid

import pytest
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError

import boto3
import local
from conftest import header

OWN_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")


def simple(to, **fields):
    """A call of `send_email` of version 2."""
    content = {"Simple": {"Subject": {"Data": "Ünï 掟"}, "Body": {"Text": {"Data": "It works."}}}}
    return {"FromEmailAddress": "hello@example.com", "Destination": {"ToAddresses": [to]}, "Content": content} | fields


def raw(to, more=""):
    return f"From: hello@example.com\r\nTo: {to}\r\n{more}Subject: Hello\r\n\r\nIt works.\r\n".encode()


def refused(code, call, status=400):
    with pytest.raises(ClientError) as raised:
        call()
    error = raised.value
    assert (error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)
    return error


def test_simple_mail_by_both_versions(aws):
    one, two = local.address(), local.address()
    sent = aws.sesv2.send_email(
        **simple(
            one,
            Destination={"ToAddresses": [one], "CcAddresses": ["bob@example.net"], "BccAddresses": ["eve@example.net"]},
            ReplyToAddresses=["help@example.com"],
            EmailTags=[{"Name": "campaign", "Value": "spring"}],
        )
    )
    mail = local.mail_to(one)
    assert sent["MessageId"] == mail["ses_message_id"]
    assert sent["ResponseMetadata"]["HTTPHeaders"]["x-okite-id"] == mail["id"]
    assert (mail["cc"], mail["bcc"]) == (["bob@example.net"], ["eve@example.net"])
    assert mail["reply_to"] == ["help@example.com"]
    assert (mail["subject"], mail["text"], local.own_tags(mail)) == ("Ünï 掟", "It works.", {"campaign": "spring"})
    body = {"Text": {"Data": "It works & more + 1 %."}, "Html": {"Data": "<p>It works.</p>", "Charset": "UTF-8"}}
    sent = aws.ses.send_email(
        Source="Acme <hello@example.com>", Destination={"ToAddresses": [two]}, Tags=[{"Name": "a", "Value": "1"}],
        Message={"Subject": {"Data": "Ünï 掟"}, "Body": body},
    )
    mail = local.mail_to(two)
    assert sent["MessageId"] == mail["ses_message_id"]
    assert (mail["subject"], mail["text"], mail["html"]) == ("Ünï 掟", "It works & more + 1 %.", "<p>It works.</p>")
    assert local.own_tags(mail) == {"a": "1"}


@pytest.mark.parametrize("version", ["ses", "sesv2"])
def test_raw_mail_by_both_versions(aws, version):
    to, bcc = local.address(), local.address()
    data = raw(to, f"Bcc: {bcc}\r\nX-SES-MESSAGE-TAGS: campaign=spring\r\n")
    if version == "ses":
        aws.ses.send_raw_email(RawMessage={"Data": data})
    else:
        aws.sesv2.send_email(Content={"Raw": {"Data": data}})
    mail = local.mail_to(to)
    assert (mail["envelope"]["to"], local.own_tags(mail)) == ([to, bcc], {"campaign": "spring"})
    # What is only for SES is gone. Everything else is there byte by byte.
    with local.urllib.request.urlopen(f"{local.URL}/_local/outbox/{mail['id']}/source") as answer:
        assert answer.read() == raw(to)


@pytest.mark.parametrize(("version", "most"), [("ses", 3_300_000), ("sesv2", 4_400_000)])
def test_raw_mail_as_large_as_documented(aws, version, most):
    to = local.address()
    line = b"x" * 76 + b"\r\n"
    data = raw(to) + line * ((most - len(raw(to))) // len(line))
    if version == "ses":
        aws.ses.send_raw_email(RawMessage={"Data": data})
    else:
        aws.sesv2.send_email(Content={"Raw": {"Data": data}})
    assert len(local.mail_to(to)["text"]) > most * 0.9
    # All tests list the outbox.
    local.call("DELETE", "outbox")


def test_larger_mail_is_refused_before_it_reaches_okite(impatient):
    data = raw(local.address()) + b"x" * 5_000_000
    refused("413", lambda: impatient.sesv2.send_email(Content={"Raw": {"Data": data}}), 413)


def test_quota_account_and_statistics(aws):
    aws.sesv2.send_email(**simple(local.address()))
    quota, account = aws.ses.get_send_quota(), aws.sesv2.get_account()
    assert (quota["Max24HourSend"], quota["MaxSendRate"]) == (100_000_000, account["SendQuota"]["MaxSendRate"])
    assert quota["SentLast24Hours"] > 0 and account["SendQuota"]["SentLast24Hours"] > 0
    assert account["SendingEnabled"] is account["ProductionAccessEnabled"] is True
    assert account["EnforcementStatus"] == "HEALTHY" and aws.ses.get_account_sending_enabled()["Enabled"] is True
    [*_, today] = aws.ses.get_send_statistics()["SendDataPoints"]
    assert today["Timestamp"] <= datetime.datetime.now(datetime.UTC) and today["DeliveryAttempts"] > 0


def test_identities_come_in_pages(aws):
    wanted = ["boss@example.net", "example.com", "example.org"]
    pages = aws.ses.get_paginator("list_identities").paginate(PaginationConfig={"PageSize": 1})
    assert [page["Identities"] for page in pages] == [[name] for name in wanted]
    pages, token = [], {}
    while not pages or token:
        page = aws.sesv2.list_email_identities(PageSize=2, **token)
        pages.append([(entry["IdentityName"], entry["IdentityType"]) for entry in page["EmailIdentities"]])
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert pages == [[("boss@example.net", "EMAIL_ADDRESS"), ("example.com", "DOMAIN")], [("example.org", "DOMAIN")]]
    assert aws.ses.list_identities(IdentityType="Domain")["Identities"] == wanted[1:]
    assert aws.ses.list_verified_email_addresses()["VerifiedEmailAddresses"] == wanted[:1]
    found = aws.ses.get_identity_verification_attributes(Identities=["example.com", "example.net"])
    assert found["VerificationAttributes"] == {"example.com": {"VerificationStatus": "Success"}}
    assert aws.sesv2.get_email_identity(EmailIdentity="boss@example.net")["VerifiedForSendingStatus"] is True
    with pytest.raises(aws.sesv2.exceptions.NotFoundException):
        aws.sesv2.get_email_identity(EmailIdentity="example.net")


def test_the_suppression_list_is_okites(aws):
    gone = [f"{uuid.uuid4().hex}+{index}@example.net" for index in range(3)]
    since = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=5)
    for address, reason in zip(gone, ["BOUNCE", "COMPLAINT", "COMPLAINT"]):
        aws.sesv2.put_suppressed_destination(EmailAddress=address, Reason=reason)
    entry = aws.sesv2.get_suppressed_destination(EmailAddress=gone[0])["SuppressedDestination"]
    assert (entry["EmailAddress"], entry["Reason"], entry["LastUpdateTime"] > since) == (gone[0], "BOUNCE", True)
    listed, token = [], {}
    while not listed or token:
        page = aws.sesv2.list_suppressed_destinations(Reasons=["COMPLAINT"], StartDate=since, PageSize=1, **token)
        listed += [entry["EmailAddress"] for entry in page["SuppressedDestinationSummaries"]]
        token = {"NextToken": page["NextToken"]} if "NextToken" in page else {}
    assert [address for address in listed if address in gone] == [gone[2], gone[1]]
    # A mail that has nobody left is answered by an id of Okite, as there is none of SES.
    assert OWN_ID.fullmatch(aws.sesv2.send_email(**simple(gone[0]))["MessageId"]) and not local.mails_to(gone[0])
    aws.sesv2.delete_suppressed_destination(EmailAddress=gone[0])
    with pytest.raises(aws.sesv2.exceptions.NotFoundException):
        aws.sesv2.delete_suppressed_destination(EmailAddress=gone[0])
    assert aws.sesv2.send_email(**simple(gone[0]))["MessageId"] == local.mail_to(gone[0])["ses_message_id"]


def test_errors_are_the_exceptions_of_the_client(aws):
    by_name = aws.sesv2.exceptions
    for error, name in [
        ("AccountSuspendedException", by_name.AccountSuspendedException),
        ("SendingPausedException", by_name.SendingPausedException),
        ("MailFromDomainNotVerifiedException", by_name.MailFromDomainNotVerifiedException),
        ("LimitExceededException", by_name.LimitExceededException),
        ("MessageRejected", by_name.MessageRejected),
    ]:
        with local.fault("SendEmail", error), pytest.raises(name):
            aws.sesv2.send_email(**simple(local.address()))
    with pytest.raises(by_name.MessageRejected, match="Email address is not verified"):
        aws.sesv2.send_email(**simple(local.address(), FromEmailAddress="hello@example.net"))
    with pytest.raises(by_name.BadRequestException):
        aws.sesv2.send_email(**simple("nobody"))
    with pytest.raises(by_name.NotFoundException, match="Leave the configuration set out"):
        aws.sesv2.send_email(**simple(local.address(), ConfigurationSetName="own"))
    with pytest.raises(aws.ses.exceptions.ConfigurationSetDoesNotExistException):
        aws.ses.send_raw_email(RawMessage={"Data": raw(local.address())}, ConfigurationSetName="own")
    with pytest.raises(aws.ses.exceptions.MessageRejected):
        aws.ses.send_raw_email(RawMessage={"Data": raw(local.address())}, Source="hello@example.net")
    paused = pytest.raises(aws.ses.exceptions.AccountSendingPausedException)
    with paused, local.fault("SendEmail", "SendingPausedException"):
        aws.ses.send_raw_email(RawMessage={"Data": raw(local.address())})
    refused("UnrecognizedClientException", lambda: stranger("sesv2").get_account(), 403)
    refused("InvalidClientTokenId", lambda: stranger("ses").get_send_quota(), 403)
    wrong = boto3.client("sesv2", aws_access_key_id="ok_local", aws_secret_access_key="wrong")
    refused("InvalidSignatureException", wrong.get_account, 403)


def stranger(version):
    """A client with credentials that belong to no key."""
    return boto3.client(version, aws_access_key_id="ok_stranger", aws_secret_access_key="x")


@pytest.mark.parametrize(
    ("version", "call", "words"),
    [
        ("ses", lambda client: client.verify_domain_identity(Domain="example.net"), "cannot be changed through Okite"),
        ("ses", lambda client: client.send_bounce(
            OriginalMessageId="1",
            BounceSender="a@example.com",
            BouncedRecipientInfoList=[{"Recipient": "b@example.net"}],
        ), "Okite sends no bounces"),
        ("ses", lambda client: client.list_templates(), "render the mail in the application"),
        ("ses", lambda client: client.list_configuration_sets(), "Okite carries out"),
        ("sesv2", lambda client: client.create_email_identity(EmailIdentity="example.net"), "use Amazon SES itself"),
        ("sesv2", lambda client: client.list_email_templates(), "render the mail in the application"),
        ("sesv2", lambda client: client.list_configuration_sets(), "which sends with its own"),
        ("sesv2", lambda client: client.put_account_sending_attributes(SendingEnabled=False), "cannot be changed"),
        ("sesv2", lambda client: client.list_contact_lists(), "Okite carries out"),
    ],
)
def test_what_is_not_there_says_what_to_do(aws, version, call, words):
    code, status = {"ses": ("InvalidAction", 400), "sesv2": ("UnknownOperationException", 404)}[version]
    assert words in str(refused(code, lambda: call(getattr(aws, version)), status))


def test_when_there_is_no_room_the_client_is_told_or_the_mail_waits(aws, impatient):
    local.call("PUT", "account", {"max_24_hour_send": 1})
    local.call("POST", "schedule")
    try:
        with pytest.raises(impatient.sesv2.exceptions.TooManyRequestsException, match="Daily message quota exceeded"):
            impatient.sesv2.send_email(**simple(local.address()))
        refused("Throttling", lambda: impatient.ses.send_raw_email(RawMessage={"Data": raw(local.address())}))
        to = local.address()
        queued = header(aws.sesv2, "okite-when-busy", "queue").send_email(**simple(to))
        assert OWN_ID.fullmatch(queued["MessageId"]) and not local.mails_to(to)
        # The SES API has no way to look a mail up; Okite's own has.
        assert local.get(f"/emails/{queued['MessageId']}")["last_event"] == "queued"
    finally:
        local.call("PUT", "account", {"max_24_hour_send": 100_000_000})
        local.call("POST", "schedule")


@pytest.mark.parametrize("fault", [{"drop": "after"}, {"kill": "after"}], ids=["drop", "kill"])
def test_a_mail_whose_answer_is_lost_is_sent_once(aws, fault):
    to = local.address()
    local.call("POST", "faults", {"operation": "SendEmail"} | fault)
    sent = aws.sesv2.send_email(**simple(to))
    assert sent["MessageId"] == local.mail_to(to)["ses_message_id"]


def test_version_1_too_sends_a_mail_once(aws):
    to = local.address()
    local.call("POST", "faults", {"operation": "SendEmail", "drop": "after"})
    sent = aws.ses.send_raw_email(RawMessage={"Data": raw(to)})
    assert sent["MessageId"] == local.mail_to(to)["ses_message_id"]
    # When the function itself dies, API Gateway answers in its place, in JSON. boto3 expects XML of version 1, and does
    # not repeat what it cannot read.
    to = local.address()
    local.call("POST", "faults", {"operation": "SendEmail", "kill": "after"})
    with pytest.raises(ResponseParserError, match="Internal Server Error"):
        aws.ses.send_raw_email(RawMessage={"Data": raw(to)})
    assert local.mail_to(to)


def test_a_key_of_the_application_holds_across_calls(aws):
    to = local.address()
    client = header(aws.sesv2, "Idempotency-Key", f"order {uuid.uuid4()}")
    first, again = client.send_email(**simple(to)), client.send_email(**simple(to))
    assert first["MessageId"] == again["MessageId"] == local.mail_to(to)["ses_message_id"]
    with pytest.raises(client.exceptions.BadRequestException, match="with another mail"):
        client.send_email(**simple(local.address()))
