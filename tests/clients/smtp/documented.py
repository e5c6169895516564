"""The settings of docs/SMTP.md, read from there, so that the tests hold the document to its word."""

import pathlib
import re

import okite_smtp

SMTP_MD = pathlib.Path("docs/SMTP.md").read_text(encoding="utf-8")


def cells(client, heading):
    """The code in each cell of a client's row, in the table behind a heading."""
    [_, behind] = SMTP_MD.split(f"\n{heading}\n", 1)
    row = next(line for line in behind.splitlines() if line.startswith(f"| {client} |"))
    return [re.findall("`([^`]+)`", cell) for cell in row.split(" | ")[1:]]


def settings(client, door):
    """The settings of a client for a door, with its port and the key in their places."""
    [found] = cells(client, "## Settings of clients")
    if door.is_local:
        # "With `okite up`, use port 1025 and leave out user and password."
        found = [setting for setting in found if "USER" not in setting and "PASSWORD" not in setting]
    [starttls, implicit_tls] = cells(client, "### With encryption")
    found += starttls if door.starttls else implicit_tls if door.implicit_tls else []
    return [setting.replace("2587", str(door.port)).replace("2465", str(door.port)) for setting in found]


def evaluated(client, door):
    """The settings of a client in Python."""
    values = {}
    for setting in settings(client, door):
        exec(setting, {"KEY": okite_smtp.KEY}, values)
    return values
