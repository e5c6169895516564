"""Runs the tests of nodemailer once for each way into Okite."""

import os
import subprocess

import documented


def options(door):
    """The documented object of options, with what encryption adds."""
    [options, *encryption] = documented.settings("nodemailer", door)
    # The last of two members of the same name counts.
    return ", ".join([options.removesuffix(" }"), *encryption]) + " }"


def test_nodemailer(door, certificate):
    settings = options(door)
    if door.is_local:
        settings = settings.replace(', auth: { user: "okite", pass: KEY }', "")
    environment = {"NODEMAILER_SETTINGS": settings, "NODE_EXTRA_CA_CERTS": str(certificate.certificate)}
    run = subprocess.run(
        ["node", "--test", "target/clients-node/smtp/nodemailer.test.mjs"],
        env=os.environ | environment, capture_output=True, text=True,
    )
    assert run.returncode == 0, f"{settings}\n{run.stdout}{run.stderr}"
