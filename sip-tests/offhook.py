"""The program under test: `offhook serve` with a configuration of its own, and a client of its API."""

import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

import audio
from process import CALL_SECONDS, PORTS, Process, expect, wait_for

API_KEY = "sip-tests-key-3f9c1d7a"
START_SECONDS = 30


class Offhook(Process):
    """`offhook serve` with a configuration of the case, and a client of its API."""

    is_to_end = False

    def __init__(self, binary, folder, peer_port, domain=None, trunk="", limits="", routes="", llm='provider = "rules"',
                 media_ports=40, proxy=None, sip="", media="", webhooks="", listen=(), advertise="127.0.0.1", node="sip-tests",
                 store=None, environment=None):
        """The trunk is at `peer_port`, or at `domain`, through that port or the URI `proxy`, or else where DNS says.
        `listen`, `sip` and `media` come on top of a UDP port. Without a `store` it has a file of its own."""
        self.sip_port, self.api_port, first = PORTS.take(), PORTS.take(), PORTS.take(media_ports)
        self.target = ("127.0.0.1", self.sip_port)
        self.media_ports = range(first, first + media_ports)
        peer = proxy or (f"sip:127.0.0.1:{peer_port}" if peer_port else None)
        where = f'uri = "sip:{domain}"' if domain else f'uri = "{peer}"'
        if domain and peer:
            where += f'\noutbound_proxy = "{peer}"'
        everywhere = "0.0.0.0" if advertise == "auto" else advertise
        doors = ", ".join(f'"{door}"' for door in (f"udp://{everywhere}:{self.sip_port}", *listen))
        store = store or f"sqlite://{folder}/data/offhook.db"
        config = folder / "offhook.toml"
        config.write_text(f"""
[node]
name = "{node}"
data_dir = "{folder}/data"

[sip]
listen = [{doors}]
advertise = "{advertise}"
{sip}

[[trunk]]
name = "peer"
{where}
caller_id = "+15550100"
allow_from = ["127.0.0.1/32"]
{trunk}

[media]
ports = "{first}-{first + media_ports - 1}"
record = true
{media}

[[route]]
to = "echo"
agent = "echo"
[[route]]
to = "milliwatt"
agent = "milliwatt"
[[route]]
to = "reject"
agent = "reject"
[[route]]
to = "agent"
agent = "default"
{routes}

[stt]
provider = "local"
[llm]
{llm}
[tts]
provider = "local"

[limits]
{limits}

[webhooks]
{webhooks}

[dial]
allow = ["+", "bob"]

[api]
listen = "127.0.0.1:{self.api_port}"
[[api.key]]
name = "sip-tests"
role = "admin"
key = "{API_KEY}"

[store]
url = "{store}"
""")
        super().__init__(folder, "offhook", [binary, "serve", "--config", config], environment)

    def wait_ready(self):
        wait_for("offhook is ready", self.is_ready, START_SECONDS)

    def is_ready(self):
        expect(self.running, f"offhook ended by itself: {self.tail()}")
        try:
            return self.request("GET", "/v1/health/ready")[0] == 200
        except OSError:
            return False

    def request(self, method, path, body=None, accept="*/*"):
        """`(status, bytes)` of one API request."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api_port}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json", "Accept": accept},
        )
        try:
            with urllib.request.urlopen(request, timeout=CALL_SECONDS) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as refused:
            return refused.code, refused.read()

    def get(self, path):
        status, body = self.request("GET", path)
        expect(status == 200, f"GET {path} answered {status}: {body[:300]!r}")
        return json.loads(body)

    def post(self, path, body):
        status, answer = self.request("POST", path, body)
        expect(200 <= status < 300, f"POST {path} answered {status}: {answer[:300]!r}")
        return json.loads(answer) if answer.strip() else {}

    def command(self, *words):
        """What a command of the program prints that asks this server: one object a line."""
        asks = {"OFFHOOK_URL": f"http://127.0.0.1:{self.api_port}", "OFFHOOK_API_KEY": API_KEY}
        done = subprocess.run([self.child.args[0], *words, "--json"], env={**os.environ, **asks}, capture_output=True,
                              text=True, timeout=CALL_SECONDS)
        expect(done.returncode == 0, f"offhook {' '.join(words)} ended with {done.returncode}: {done.stderr}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def dial(self, to="+15550123", goal="Listen to what they say", **more):
        """Places a call and returns its id."""
        return self.post("/v1/calls", {"to": to, "task": {"goal": goal}, **more})["id"]

    def say(self, call_id, text):
        self.post(f"/v1/calls/{call_id}/actions/say", {"text": text})

    def press(self, call_id, keys):
        self.post(f"/v1/calls/{call_id}/actions/dtmf", {"digits": keys})

    def hang_up(self, call_id, *peers):
        """Ends a call, which each SIPp in it sees end as written; the call as it is then."""
        self.post(f"/v1/calls/{call_id}/actions/hangup", {})
        for peer in peers:
            peer.wait_done()
        return self.wait_ended(call_id)

    def call(self, call_id):
        return self.get(f"/v1/calls/{call_id}")

    def wait_status(self, call_id, *statuses, seconds=CALL_SECONDS):
        def reached():
            call = self.call(call_id)
            expect(call["status"] != "ended" or "ended" in statuses,
                   f"the call ended early: {call.get('end_reason')} {call.get('sip_status')} {call.get('reason')}")
            return call if call["status"] in statuses else None
        return wait_for(f"the call is {' or '.join(statuses)}", reached, seconds)

    def wait_ended(self, call_id, seconds=CALL_SECONDS):
        return self.wait_status(call_id, "ended", seconds=seconds)

    def inbound_call(self):
        """The one inbound call to an agent, as the API shows it."""
        def found():
            return [call for call in self.get("/v1/calls")["data"] if call["direction"] == "inbound"]
        return wait_for("the inbound call is in the API", found)[0]

    def events(self, call_id, kind):
        return [event["data"] for event in self.get(f"/v1/calls/{call_id}/events")["data"] if event["type"] == kind]

    def transcript(self, call_id):
        return self.get(f"/v1/calls/{call_id}/transcript")["data"]

    def metric(self, name):
        """A sample of /metrics by its name with all labels."""
        status, text = self.request("GET", "/metrics")
        expect(status == 200, f"/metrics answered {status}")
        values = [float(line.rpartition(" ")[2]) for line in text.decode().splitlines() if line.rpartition(" ")[0] == name]
        expect(values, f"/metrics has no {name}")
        return values[0]

    def recording(self, call_id, folder):
        """`(rate, [they, we])` of a finished call."""
        def ready():
            status, body = self.request("GET", f"/v1/calls/{call_id}/recording")
            return body if status == 200 else None
        path = folder / "recording.wav"
        path.write_bytes(wait_for("the recording is ready", ready))
        rate, channels = audio.read_wav(path)
        expect(len(channels) == 2, f"the recording has {len(channels)} channels, not 2")
        return rate, channels

    def terminate(self):
        """Asks it to end, which it does when its calls have."""
        self.is_to_end = True
        self.child.send_signal(signal.SIGTERM)

    def unhurt(self):
        """Fails unless the program still runs, or was asked to end, and has never panicked."""
        expect(self.running or self.is_to_end, f"offhook ended by itself: {self.tail()}")
        expect("panicked" not in self.log(), f"offhook panicked: {self.tail()}")
