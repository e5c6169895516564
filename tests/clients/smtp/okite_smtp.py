"""A running `okite smtp` in front of the `okite up` of the tests, and its certificate."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import threading

import local

OKITE = pathlib.Path("target/debug/okite").resolve()
LOCAL_PORT = int(os.environ["OKITE_SMTP"].rsplit(":", 1)[1])
KEY = os.environ["RESEND_API_KEY"]


@dataclasses.dataclass(frozen=True)
class Certificate:
    certificate: pathlib.Path
    key: pathlib.Path

    @property
    def options(self):
        return ("--tls-cert", str(self.certificate), "--tls-key", str(self.key))


def certificate(folder):
    """Makes a certificate that is its own issuer, so that clients can be told to trust it."""
    made = Certificate(folder / "cert.pem", folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:192.0.2.1",
         "-addext", "keyUsage=critical,digitalSignature,keyCertSign",
         "-keyout", made.key, "-out", made.certificate],
        check=True, capture_output=True,
    )
    return made


@dataclasses.dataclass
class Server:
    port: int | None = None
    tls_port: int | None = None
    log: list = dataclasses.field(default_factory=list)

    def connections(self, message="Okite took a mail"):
        """The connection of each mail that was taken."""
        return [entry["connection"] for entry in self.log if entry["message"] == message]


@contextlib.contextmanager
def running(*options, api=local.URL):
    process = subprocess.Popen(
        [OKITE, "smtp", "--api", api, "--metrics", "127.0.0.1:0", *options],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
    )
    server = Server()

    def entries():
        for line in process.stdout:
            server.log.append(json.loads(line)["fields"])
            yield server.log[-1]

    try:
        for entry in entries():
            if entry["message"] == "listening":
                port = int(entry["address"].rsplit(":", 1)[1])
                if entry["is_implicit_tls"]:
                    server.tls_port = port
                else:
                    server.port = port
            if entry["message"].startswith("serving /health"):
                break
        else:
            raise AssertionError(f"okite smtp ended with {process.wait()}")
        reader = threading.Thread(target=lambda: list(entries()))
        reader.start()
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    reader.join()
    assert server.log[-1]["message"] == "stopped"
    # People are named in no line of the log.
    assert "@" not in json.dumps(server.log)
