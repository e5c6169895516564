"""The ways into Okite: `okite up`, and `okite smtp` in clear text, with STARTTLS, and encrypted from the first byte."""

import dataclasses

import pytest

import okite_smtp


@dataclasses.dataclass(frozen=True)
class Door:
    """An address that takes mail, and how."""

    name: str
    port: int
    server: okite_smtp.Server | None = None

    @property
    def is_local(self):
        """Whether no key is needed."""
        return self.server is None

    @property
    def starttls(self):
        return self.name == "starttls"

    @property
    def implicit_tls(self):
        return self.name == "tls"


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    return okite_smtp.certificate(tmp_path_factory.mktemp("certificate"))


@pytest.fixture(scope="session")
def server(certificate):
    with okite_smtp.running("--listen", "127.0.0.1:0", "--listen-tls", "127.0.0.1:0", *certificate.options) as server:
        yield server


@pytest.fixture(scope="session")
def okite_up():
    return Door("up", okite_smtp.LOCAL_PORT)


@pytest.fixture(params=["up", "plain", "starttls", "tls"])
def door(request, server, okite_up):
    if request.param == "up":
        return okite_up
    return Door(request.param, server.tls_port if request.param == "tls" else server.port, server)
