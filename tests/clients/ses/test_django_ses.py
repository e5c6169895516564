"""A project of Django with django-ses, by both versions of the API. Its settings differ by one line."""

import base64
import contextlib
import re
import uuid
from email.mime.image import MIMEImage

import pytest
from botocore.exceptions import ClientError
from django.contrib.auth.models import User
from django.core.cache import cache
from django.core.mail import EmailMultiAlternatives, get_connection, send_mail
from django.core.management import call_command
from django.test import Client, override_settings
from django_ses.models import SESStat

import local

IMAGE = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
FILE = bytes(range(256))


@pytest.fixture(params=[False, True], ids=["v1", "v2"], autouse=True)
def version(request):
    with override_settings(USE_SES_V2=request.param):
        yield


def message(to, **fields):
    return EmailMultiAlternatives(**{"subject": "Hello", "body": "It works.", "to": to} | fields)


def test_send_mail_works_as_with_ses():
    to = local.address()
    assert send_mail("Ünï 掟", "Grüße.", None, [to], html_message="<p>Grüße.</p>") == 1
    mail = local.mail_to(to)
    assert (mail["from"], mail["subject"]) == ('"Acme, Inc." <hello@example.com>', "Ünï 掟")
    assert (mail["text"].strip(), mail["html"].strip()) == ("Grüße.", "<p>Grüße.</p>")


def test_a_message_arrives_with_all_that_it_was_given():
    to, bcc = local.address(), local.address()
    email = message(
        [f"Zoë 掟 <{to}>"], cc=["bob@example.net"], bcc=[bcc], reply_to=["Hilfe <help@example.com>"],
        headers={"X-Entity-Ref-ID": "1", "X-SES-MESSAGE-TAGS": "campaign=spring"},
    )
    email.attach_alternative('<img src="cid:logo">', "text/html")
    email.attach("ünï.pdf", FILE, "application/pdf")
    image = MIMEImage(IMAGE)
    image.add_header("Content-ID", "<logo>")
    image.add_header("Content-Disposition", "inline", filename="logo.png")
    email.attach(image)
    assert email.send() == 1
    mail = local.mail_to(to)
    # django-ses gives the application SES's own id, by which events name the mail.
    assert email.extra_headers["message_id"] == mail["ses_message_id"]
    assert uuid.UUID(email.extra_headers["request_id"])
    assert mail["envelope"] == {"from": "hello@example.com", "to": [to, "bob@example.net", bcc]}
    assert (mail["cc"], mail["bcc"], mail["reply_to"]) == (["bob@example.net"], [bcc], ["Hilfe <help@example.com>"])
    assert (mail["text"].strip(), mail["html"].strip()) == ("It works.", '<img src="cid:logo">')
    assert mail["decoded"]["to"][0] == {"name": "Zoë 掟", "email": to}
    assert mail["headers"]["X-Entity-Ref-ID"] == "1" and not any("X-SES" in name.upper() for name in mail["headers"])
    assert local.own_tags(mail) == {"campaign": "spring"}
    attachments = mail["attachments"]
    files = {file["filename"]: (file["content_type"], base64.b64decode(file["content"])) for file in attachments}
    assert files == {"ünï.pdf": ("application/pdf", FILE), "logo.png": ("image/png", IMAGE)}


def test_an_address_that_bounced_is_left_out_the_next_time(aws):
    gone, anna = local.address().replace("success", "bounce"), local.address()
    send_mail("Hello", "It bounces.", None, [gone])

    def suppressed():
        with contextlib.suppress(aws.sesv2.exceptions.NotFoundException):
            return aws.sesv2.get_suppressed_destination(EmailAddress=gone)["SuppressedDestination"]

    assert local.eventually(suppressed)["Reason"] == "BOUNCE"
    assert send_mail("Hello", "To Anna only.", None, [gone, anna]) == 1
    assert local.mail_to(anna)["envelope"]["to"] == [anna]
    # An application needs no change for a mail that has nobody left: it is told an id, as by SES for its own list.
    alone = message([gone])
    assert alone.send() == 1 and uuid.UUID(alone.extra_headers["message_id"])
    # The header names both, because the bytes of a mail stay as they are: the one that bounced, and the one to Anna.
    assert len(local.mails_to(gone)) == 2


def test_an_error_is_raised_with_its_cause():
    with pytest.raises(ClientError, match="Email address is not verified") as raised:
        message([local.address()], from_email="hello@example.net").send()
    assert raised.value.response["Error"]["Code"] == "MessageRejected"
    with pytest.raises(ClientError, match="Leave the configuration set out of the request"):
        message([local.address()], headers={"X-SES-CONFIGURATION-SET": "of-the-application"}).send()


def test_it_paces_itself_by_the_quota(caplog):
    caplog.set_level("DEBUG", "django_ses")
    with override_settings(AWS_SES_AUTO_THROTTLE=0.5):
        get_connection().send_messages([message([local.address()])])
    [rate] = re.findall(r"throttle rate_limit='(.+?)'", caplog.text)
    # The gate leaves a margin of the account's rate.
    assert 0.9 * 5000 < float(rate) < 5000


@override_settings(AWS_SES_AUTO_THROTTLE=None)
def test_a_hundred_mails_arrive_once_each_at_the_rate_of_the_account():
    recipients = [local.address() for _ in range(100)]
    with local.sending_rate(14):
        connection = get_connection()
        connection.open()
        for to in recipients:
            assert message([to], connection=connection).send() == 1
    arrived = [to for mail in local.outbox() if mail["raw"] for to in mail["envelope"]["to"]]
    assert [arrived.count(to) for to in recipients] == [1] * len(recipients)


def test_the_dashboard_shows_quota_statistics_and_addresses():
    send_mail("Hello", "It works.", None, [local.address()])
    # The page is kept for 15 minutes.
    cache.clear()
    client = Client(headers={"host": "localhost"})
    user, _ = User.objects.get_or_create(username="admin", is_staff=True, is_superuser=True)
    client.force_login(user)
    answer = client.get("/admin/django-ses/")
    assert answer.status_code == 200
    html = answer.content.decode()
    table = {
        name: [float(cell.replace(",", "")) for cell in re.findall(r"<td>([\d.,]+)</td>", rows)]
        for name, rows in re.findall(r'<table id="(quota|sending_totals)">(.+?)</table>', html, re.DOTALL)
    }
    quota, sent, remaining, rate = table["quota"]
    assert quota == 100_000_000 and sent > 0 and remaining == quota - sent and 4_500 < rate < 5_000
    attempts, bounces, complaints, rejects = table["sending_totals"]
    assert attempts > 0 and complaints == rejects == 0 and bounces <= attempts
    [addresses] = re.findall(r'<table id="verified_emails">(.+?)</table>', html, re.DOTALL)
    assert re.findall(r"<td>(\S+@\S+)</td>", addresses) == ["boss@example.net"]


def test_management_commands_that_read_work(capsys):
    call_command("ses_email_address", list=True)
    assert capsys.readouterr().out.splitlines() == ["Fetching list of verified emails:", "boss@example.net"]
    send_mail("Hello", "It works.", None, [local.address()])
    call_command("get_ses_statistics")
    assert SESStat.objects.latest("date").delivery_attempts > 0
    # The blacklist of django-ses is a table of the project, which the command works on as ever.
    call_command("blacklist", email_to_add="anna@example.net")
    call_command("blacklist", list_emails=True)
    assert "anna@example.net" in capsys.readouterr().out


@pytest.mark.parametrize("option", ["add", "delete"])
def test_management_commands_that_change_the_account_say_where_to_do_it(option):
    with pytest.raises(ClientError, match="cannot be changed through Okite: use Amazon SES itself") as raised:
        call_command("ses_email_address", **{option: "anna@example.com"})
    assert raised.value.response["Error"]["Code"] == "InvalidAction"
