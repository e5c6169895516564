"""A Postfix relay with the settings of docs/SMTP.md, in folders of its own. Its port for mail is on 127.0.0.1."""

import contextlib
import email.message
import json
import os
import pathlib
import smtplib
import socket
import subprocess
import tempfile

import pytest

import documented
import local
import okite_smtp
import outbox

# Postfix must be started by root.
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
# The services of Postfix's own master.cf that a relay needs, none of them in a chroot.
MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
myhostname = relay.example.com
mydestination =
alias_maps =
local_recipient_maps =
inet_interfaces = loopback-only
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
# Found in /etc/hosts.
smtp_host_lookup = native
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


class Postfix:
    def __init__(self, folder, settings, password):
        self.folder, self.port = folder, free_port()
        (folder / "etc").mkdir()
        (folder / "queue").mkdir()
        (folder / "data").mkdir()
        (folder / "etc/passwords").write_text(f"{password}\n")
        settings = [*settings, f"smtp_sasl_password_maps = texthash:{folder}/etc/passwords"]
        (folder / "etc/main.cf").write_text(MAIN.format(folder=folder) + "\n".join(settings) + "\n")
        (folder / "etc/master.cf").write_text(MASTER.format(port=self.port))
        subprocess.run([*AS_ROOT, "chown", "-R", "root", folder / "etc", folder / "queue"], check=True)
        subprocess.run([*AS_ROOT, "chown", "postfix", folder / "data"], check=True)

    def run(self, program, *arguments):
        # Debian has these programs where only root looks for them.
        command = [*AS_ROOT, f"/usr/sbin/{program}", "-c", self.folder / "etc", *arguments]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, f"{done.stdout}{done.stderr}{self.log()}"
        return done.stdout

    def log(self):
        file = self.folder / "log"
        return subprocess.run([*AS_ROOT, "cat", file], capture_output=True, text=True).stdout

    def queue(self):
        return [json.loads(line) for line in self.run("postqueue", "-j").splitlines()]

    def reasons(self):
        """Why each mail in the queue waits; nothing while one of them is on its way."""
        queue = self.queue()
        if any(mail["queue_name"] != "deferred" for mail in queue):
            return []
        return [recipient.get("delay_reason", "") for mail in queue for recipient in mail["recipients"]]

    def flush(self):
        self.run("postqueue", "-f")

    def send(self, *recipients):
        message = email.message.EmailMessage()
        message["From"], message["To"], message["Subject"] = "hello@example.com", recipients[0], "Hello"
        message.set_content("It works.\n")
        with smtplib.SMTP("127.0.0.1", self.port) as smtp:
            assert smtp.send_message(message, to_addrs=recipients) == {}


@contextlib.contextmanager
def postfix(settings, password):
    # Postfix's own user must get into the folder, which it does not in those of pytest.
    folder = pathlib.Path(tempfile.mkdtemp(prefix="okite-postfix-"))
    folder.chmod(0o755)
    try:
        relay = Postfix(folder, settings, password)
        relay.run("postfix", "start")
        try:
            yield relay
        finally:
            relay.run("postfix", "stop")
    finally:
        subprocess.run([*AS_ROOT, "rm", "-rf", folder], check=True)


def relaying_to(port):
    """The documented settings, and the documented line of the file with the password."""
    [[host, *settings, maps, line]] = documented.cells("Postfix", "## Settings of clients")
    assert maps == "smtp_sasl_password_maps"
    return [host.replace("2587", str(port)), *settings], line.replace("2587", str(port)).replace("KEY", okite_smtp.KEY)


def arrived_once(recipients):
    return sorted(sum((mail["envelope"]["to"] for mail in outbox.mails_to_any(recipients)), [])) == sorted(recipients)


def test_a_relay_keeps_the_mails_until_okite_takes_them():
    port = free_port()
    listen = ("--listen", f"127.0.0.1:{port}")
    with postfix(*relaying_to(port)) as relay:
        recipients = [local.address() for _ in range(4)]
        for recipient in recipients[:3]:
            relay.send(recipient)
        # `okite smtp` does not run.
        local.eventually(lambda: len(relay.reasons()) == 3)
        assert all("Connection refused" in reason for reason in relay.reasons())
        # It runs, and Okite does not answer it.
        with okite_smtp.running(*listen, api=f"http://127.0.0.1:{free_port()}"):
            relay.flush()
            local.eventually(lambda: sum("454 4.7.0 Okite does not answer" in why for why in relay.reasons()) == 3)
        # Okite answers.
        with okite_smtp.running(*listen) as server:
            relay.flush()
            local.eventually(lambda: relay.queue() == [])
            assert arrived_once(recipients[:3])
            relay.send(recipients[3])
            local.eventually(lambda: relay.queue() == [] and outbox.mails_to(recipients[3]))
            relay.flush()
        assert arrived_once(recipients)
        assert len(server.connections()) == 4


@pytest.mark.parametrize("way", ["STARTTLS", "encrypted from the first byte"])
def test_a_relay_encrypts_and_nobody_of_many_gets_two_mails(server, certificate, way):
    [starttls, implicit_tls] = documented.cells("Postfix", "### With encryption")
    is_starttls = way == "STARTTLS"
    settings, password = relaying_to(server.port if is_starttls else server.tls_port)
    # The certificate is for a name, as those of servers are.
    settings = [setting.replace("[127.0.0.1]", "[localhost]") for setting in settings]
    settings += [*(starttls if is_starttls else implicit_tls), f"smtp_tls_CAfile = {certificate.certificate}"]
    recipients = [local.address() for _ in range(60)]
    with postfix(settings, password.replace("[127.0.0.1]", "[localhost]")) as relay:
        relay.send(*recipients)
        local.eventually(lambda: relay.queue() == [])
        assert relay.log().count("status=sent (250 2.0.0 Ok ") == 60, relay.log()
    assert arrived_once(recipients)
