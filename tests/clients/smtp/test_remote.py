"""Clients on another machine: the documented command, in a network of its own where nobody else can reach it."""

import os
import subprocess
import sys

import documented
import pytest

# The only address of the network that is not of the same machine in the eyes of the server.
NETWORK = 'ip link set lo up && ip address add 192.0.2.1/32 dev lo && exec "$@"'


def command():
    """The options of the documented command with a certificate."""
    introduction = "For clients on other machines, name addresses and a certificate:\n\n```sh\n"
    [_, behind] = documented.SMTP_MD.split(introduction, 1)
    words = behind.split("\n```", 1)[0].replace("\\\n", " ").split()
    assert words[:3] == ["okite", "smtp", "--api"]
    return words[4:]


def test_a_client_on_another_machine_must_encrypt_before_it_gives_its_key(certificate):
    files = {"/etc/okite/cert.pem": str(certificate.certificate), "/etc/okite/key.pem": str(certificate.key)}
    options = [files.get(word, word) for word in command()]
    as_root = [] if os.geteuid() == 0 else ["sudo", "-n", "--preserve-env"]
    allowed = subprocess.run([*as_root, "unshare", "--net", "true"], capture_output=True, text=True)
    if allowed.returncode != 0:
        # Some containers may make no network of their own. `cargo test -p smtp` holds the same replies on a socket.
        pytest.skip(f"no network of its own can be made here: {allowed.stderr.strip()}")
    run = subprocess.run(
        [*as_root, "unshare", "--net", "sh", "-c", NETWORK, "sh", sys.executable,
         "tests/clients/smtp/remote_client.py", certificate.certificate, *options],
        capture_output=True, text=True,
    )
    assert (run.returncode, run.stdout) == (0, "all is as documented\n"), run.stdout + run.stderr
