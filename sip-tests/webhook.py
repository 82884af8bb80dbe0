"""Somebody who is told of events by HTTP, and the library that says whether they are signed well."""

import collections
import http.server
import json
import pathlib
import subprocess
import threading

from process import expect
from pypi import python_with

PACKAGE = "standardwebhooks==1.1.0"
VERIFY_SECONDS = 20

Message = collections.namedtuple("Message", "headers body event")


class Receiver:
    """The server; `messages` holds what came, and each was answered 204."""

    def __init__(self, port):
        self.messages = []
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.messages.append(Message(headers, body, json.loads(body)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def of_call(self, call_id):
        return [message for message in list(self.messages) if message.event["data"].get("call_id") == call_id]

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Library:
    """PyPI's `standardwebhooks`, in a Python of its own."""

    peer = "standardwebhooks"

    def __init__(self):
        self.python = python_with(PACKAGE)

    def faults(self, messages, secret):
        """What is wrong with each of these messages for who has this secret; an empty text where nothing is."""
        lines = [json.dumps({"secret": secret, "headers": message.headers, "body": message.body}) for message in messages]
        done = subprocess.run([self.python, "-B", pathlib.Path(__file__).with_name("webhook_verify.py")],
                              input="\n".join(lines), capture_output=True, text=True, timeout=VERIFY_SECONDS)
        expect(done.returncode == 0, f"{PACKAGE} could not be asked: {done.stderr}")
        return done.stdout.splitlines()

    def close(self):
        pass
