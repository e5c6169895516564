"""An application that receives events, and the endpoints that tests register for it."""

import contextlib
import http.server
import threading
from types import SimpleNamespace

import pytest
import resend

import local


class Receiver(http.server.BaseHTTPRequestHandler):
    """Keeps every request, and answers with the status that the test has set."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        self.server.requests.append(SimpleNamespace(headers=dict(self.headers), body=body))
        self.send_response(self.server.status)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


@pytest.fixture
def receiver():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    server.requests, server.status = [], 200
    server.url = f"http://127.0.0.1:{server.server_port}/hook"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@contextlib.contextmanager
def registered(url, events):
    """An endpoint, as the SDK of Resend makes one. Emitters know of it at the latest half a minute later."""
    created = resend.Webhooks.create({"endpoint": url, "events": events})
    try:
        yield created
    finally:
        resend.Webhooks.remove(created["id"])


@pytest.fixture
def received(receiver):
    """Waits for the first request about a mail."""

    def of(email_id, kind):
        def find():
            return next(
                (request for request in receiver.requests if email_id in request.body and f'"{kind}"' in request.body),
                None,
            )

        return local.eventually(find)

    return of
