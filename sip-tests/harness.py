"""The stage of a case: the real binary, its peers, free ports, and a clean end for all of them."""

import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request

import audio
import rtp
import sip

HERE = pathlib.Path(__file__).resolve().parent
API_KEY = "sip-tests-key-3f9c1d7a"
START_SECONDS = 30
CALL_SECONDS = 20
STOP_SECONDS = 4


class Failure(Exception):
    """A case did not go as it should; the message says what was expected and what came."""


def expect(condition, message):
    if not condition:
        raise Failure(message)


def wait_for(what, probe, seconds=CALL_SECONDS):
    """The first truthy value of `probe()`; fails when none comes in time."""
    end = time.monotonic() + seconds
    while True:
        value = probe()
        if value:
            return value
        if time.monotonic() > end:
            raise Failure(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


class Ports:
    """Ports of 127.0.0.1 that are free now and are given out only once in a run.

    They lie under the kernel's own range for outgoing sockets, where none can slip in between.
    """

    def __init__(self):
        self._next = random.randrange(12000, 26000, 100)
        self._lock = threading.Lock()

    def take(self, count=1):
        """The first of `count` consecutive ports."""
        with self._lock:
            while True:
                first = self._next
                self._next = first + count if first + count < 32000 else 12000
                if all(self._free(first + offset) for offset in range(count)):
                    return first

    @staticmethod
    def _free(port):
        for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
            with socket.socket(socket.AF_INET, kind) as probe:
                try:
                    probe.bind(("127.0.0.1", port))
                except OSError:
                    return False
        return True


PORTS = Ports()


def udp_bound(port):
    """Whether some process listens on this UDP port of 127.0.0.1 (or of all addresses)."""
    with open("/proc/net/udp", encoding="ascii") as table:
        return any(int(line.split()[1].split(":")[1], 16) == port for line in list(table)[1:])


class Process:
    """A child in a group of its own; its output goes to a file of the case."""

    def __init__(self, folder, name, command, environment=None):
        self.name = name
        self.output = folder / f"{name}.log"
        with open(self.output, "wb") as log:
            self.child = subprocess.Popen(
                [str(word) for word in command], cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, env={**os.environ, **(environment or {})}, start_new_session=True,
            )

    @property
    def running(self):
        return self.child.poll() is None

    def log(self):
        return self.output.read_text(errors="replace")

    def tail(self, lines=6):
        return "\n".join(self.log().strip().splitlines()[-lines:])

    def stop(self):
        """TERM, then KILL for what does not listen."""
        for wanted in (signal.SIGTERM, signal.SIGKILL):
            if not self.running:
                return
            try:
                os.killpg(self.child.pid, wanted)
            except ProcessLookupError:
                return
            try:
                self.child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                continue


class Offhook(Process):
    """`offhook serve` with a configuration of the case, and a client of its API."""

    def __init__(self, binary, folder, peer_port, trunk="", limits="", routes=""):
        self.sip_port, self.api_port, media = PORTS.take(), PORTS.take(), PORTS.take(40)
        self.target = ("127.0.0.1", self.sip_port)
        config = folder / "offhook.toml"
        config.write_text(f"""
[node]
name = "sip-tests"
data_dir = "{folder}/data"

[sip]
listen = ["udp://127.0.0.1:{self.sip_port}"]
advertise = "127.0.0.1"

[[trunk]]
name = "peer"
uri = "sip:127.0.0.1:{peer_port}"
caller_id = "+15550100"
allow_from = ["127.0.0.1/32"]
{trunk}

[media]
ports = "{media}-{media + 39}"
record = true

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
provider = "rules"
[tts]
provider = "local"

[limits]
{limits}

[dial]
allow = ["+"]

[api]
listen = "127.0.0.1:{self.api_port}"
[[api.key]]
name = "sip-tests"
role = "admin"
key = "{API_KEY}"

[store]
url = "sqlite://{folder}/data/offhook.db"
""")
        super().__init__(folder, "offhook", [binary, "serve", "--config", config])

    def wait_ready(self):
        def ready():
            expect(self.running, f"offhook ended by itself: {self.tail()}")
            try:
                return self.request("GET", "/v1/health/ready")[0] == 200
            except OSError:
                return False
        wait_for("offhook is ready", ready, START_SECONDS)

    def request(self, method, path, body=None):
        """`(status, bytes)` of one API request."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.api_port}{path}", method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {API_KEY}", "Content-Type": "application/json"},
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

    def dial(self, to="+15550123", goal="Listen to what they say", **more):
        """Places a call and returns its id."""
        return self.post("/v1/calls", {"to": to, "task": {"goal": goal}, **more})["id"]

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
        """The one inbound call, as the API shows it."""
        def found():
            return [call for call in self.get("/v1/calls")["data"] if call["direction"] == "inbound"]
        return wait_for("the inbound call is in the API", found)[0]

    def events(self, call_id, kind):
        return [event["data"] for event in self.get(f"/v1/calls/{call_id}/events")["data"] if event["type"] == kind]

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

    def unhurt(self):
        """Fails unless the program still runs and has never panicked."""
        expect(self.running, f"offhook ended by itself: {self.tail()}")
        expect("panicked" not in self.log(), f"offhook panicked: {self.tail()}")


class Sipp(Process):
    """One SIPp run of one of our scenarios: one call, traced."""

    count = 0

    def __init__(self, folder, scenario, port, target=None, service="echo", seconds=60, **keys):
        Sipp.count += 1
        self.port = port
        name = f"sipp-{scenario}-{Sipp.count}"
        self.trace_path = folder / f"{name}.trace"
        command = ["sipp"]
        if target:
            command.append(f"{target[0]}:{target[1]}")
        # SIPp reads the status code of a response when it loads the file, too early for its own -key.
        text = (HERE / "scenarios" / f"{scenario}.xml").read_text()
        for key, value in keys.items():
            text = text.replace(f"[{key}]", str(value))
        (folder / f"{name}.xml").write_text(text)
        command += ["-sf", folder / f"{name}.xml", "-i", "127.0.0.1", "-p", port, "-m", 1, "-nostdin",
                    "-s", service, "-timeout", f"{seconds}s", "-timeout_error", "-trace_msg",
                    "-message_file", self.trace_path, "-trace_err", "-error_file", folder / f"{name}.errors"]
        super().__init__(folder, name, command, {"TERM": "dumb"})
        self.errors_path = folder / f"{name}.errors"

    def wait_listening(self):
        def listening():
            expect(self.running, f"{self.name} ended at once: {self._why()}")
            return udp_bound(self.port)
        wait_for(f"{self.name} listens", listening)
        return self

    def messages(self):
        return sip.read_trace(self.trace_path)

    def received(self, status=None, method=None, cseq=None):
        """Received responses of a status, or requests of a method."""
        return [
            message for message in self.messages() if not message.sent
            and (status is None or message.status == status)
            and (method is None or message.method == method)
            and (cseq is None or message.cseq_method == cseq)
        ]

    def remote_audio(self):
        """Where offhook wants its audio, from the first description it sent."""
        def address():
            for message in self.messages():
                if not message.sent and message.sdp_address():
                    return message.sdp_address()
            expect(self.running, f"{self.name} ended without a description: {self._why()}")
            return None
        return wait_for("a session description arrives", address)

    def wait_done(self, seconds=CALL_SECONDS):
        """The scenario ran to its end as written."""
        wait_for(f"{self.name} ends", lambda: not self.running, seconds)
        expect(self.child.returncode == 0, f"{self.name} exited {self.child.returncode}: {self._why()}")

    def _why(self):
        seen = " ".join(repr(message) for message in self.messages()[-6:])
        errors = self.errors_path.read_text(errors="replace").strip()[:600] if self.errors_path.exists() else ""
        return f"{errors or self.tail(2)} [{seen}]"


class Baresip(Process):
    """A headless baresip 1.0.0 that answers by itself, plays a tone and records both ways."""

    count = 0

    def __init__(self, folder, user, frequency):
        Baresip.count += 1
        self.port, self.control_port, media = PORTS.take(2), PORTS.take(), PORTS.take(20)
        self.home = folder / f"baresip-{Baresip.count}"
        self.heard_in = self.home / "rec"
        self.heard_in.mkdir(parents=True)
        audio.write_wav(self.home / "tone.wav", audio.tone(frequency, 30))
        (self.home / "contacts").write_text("")
        (self.home / "accounts").write_text(
            f"<sip:{user}@127.0.0.1:{self.port};transport=udp>;regint=0;answermode=auto;audio_codecs=pcmu/8000/1\n"
        )
        modules = "".join(f"module {name}.so\n" for name in ("g711", "aufile", "sndfile"))
        (self.home / "config").write_text(f"""
poll_method epoll
sip_listen 127.0.0.1:{self.port}
net_interface 127.0.0.1
call_local_timeout 60
call_max_calls 4
audio_source aufile,{self.home}/tone.wav
audio_player aufile,{self.home}/player.wav
audio_alert aufile,{self.home}/alert.wav
ausrc_format s16
auplay_format s16
auenc_format s16
audec_format s16
audio_level no
audio_buffer 20-160
rtp_ports {media}-{media + 19}
rtp_stats yes
jitter_buffer_delay 1-5
module_path /usr/lib/baresip/modules
{modules}module_tmp account.so
module_app menu.so
module_app ctrl_tcp.so
snd_path {self.heard_in}
ctrl_tcp_listen 127.0.0.1:{self.control_port}
""")
        super().__init__(folder, self.home.name, ["baresip", "-4", "-f", self.home, "-p", "/usr/share/baresip", "-s", "-v"])
        self._socket, self._buffer, self.events = None, b"", []

    def wait_listening(self):
        def connected():
            expect(self.running, f"baresip ended at once: {self.tail()}")
            try:
                self._socket = socket.create_connection(("127.0.0.1", self.control_port), 1)
            except OSError:
                return False
            return True
        wait_for("baresip takes orders", connected)
        self._socket.setblocking(False)
        return self

    def order(self, command, params=None):
        """One command over ctrl_tcp: JSON in a netstring."""
        message = {"command": command, "token": command}
        if params:
            message["params"] = params
        body = json.dumps(message).encode()
        self._socket.sendall(b"%d:%s," % (len(body), body))

    def saw(self, kind):
        """The events of a type such as `CALL_ESTABLISHED` so far."""
        self._read()
        return [event for event in self.events if event.get("type") == kind]

    def heard(self):
        """What it decoded, once the call is over and the file is there: `(rate, samples)`."""
        def recording():
            files = [path for path in self.heard_in.glob("*-dec.wav") if path.stat().st_size > 1000]
            return files[0] if files else None
        rate, channels = audio.read_wav(wait_for("baresip's recording is there", recording))
        return rate, channels[0]

    def stop(self):
        if self._socket:
            self._socket.close()
        super().stop()

    def _read(self):
        while True:
            try:
                data = self._socket.recv(65536)
            except (BlockingIOError, InterruptedError):
                break
            if not data:
                break
            self._buffer += data
        while b":" in self._buffer:
            size, _, rest = self._buffer.partition(b":")
            if len(rest) < int(size) + 1:
                break
            self.events.append(json.loads(rest[: int(size)].decode(errors="replace")))
            self._buffer = rest[int(size) + 1 :]


class Stage:
    """All that one case has started; `close` ends it."""

    def __init__(self, folder, binary):
        self.folder, self.binary = folder, binary
        self._open = []
        self._servers = []

    def offhook(self, peer_port=None, **options):
        """A server, ready. Without a `peer_port` its trunk leads nowhere."""
        server = Offhook(self.binary, self.folder, peer_port or PORTS.take(), **options)
        self._open.append(server)
        self._servers.append(server)
        server.wait_ready()
        return server

    def caller(self, scenario, target, **options):
        """SIPp calls `target`."""
        caller = Sipp(self.folder, scenario, PORTS.take(), target, **options)
        self._open.append(caller)
        return caller

    def callee(self, scenario, **options):
        """SIPp waits to be called; give its `port` to `offhook`."""
        callee = Sipp(self.folder, scenario, PORTS.take(), **options)
        self._open.append(callee)
        return callee.wait_listening()

    def simulated_party(self, scenario):
        """`offhook callee` as a SIP endpoint: its address."""
        port = PORTS.take()
        party = Process(self.folder, f"callee-{scenario}", [
            self.binary, "callee", "--scenario", scenario, "--listen", f"udp://127.0.0.1:{port}", "--json",
        ])
        self._open.append(party)
        wait_for("the simulated party prints its address", lambda: str(port) in party.log())
        return "127.0.0.1", port

    def baresip(self, user="bob", frequency=440):
        peer = Baresip(self.folder, user, frequency)
        self._open.append(peer)
        return peer.wait_listening()

    def phone(self, **options):
        phone = rtp.Phone(**options)
        self._open.append(phone)
        return phone

    def prober(self, target, source="127.0.0.1"):
        prober = sip.Prober(target, source)
        self._open.append(prober)
        return prober

    def close(self):
        for thing in reversed(self._open):
            thing.stop() if isinstance(thing, Process) else thing.close()

    def unhurt(self):
        for server in self._servers:
            server.unhurt()


CASES = {}


def case(function):
    """Registers a case under its function's name."""
    CASES[function.__name__] = function
    return function


def run_case(name, binary, root):
    """`(seconds, reason)`: no reason means it passed; its folder stays only when it failed."""
    folder = root / name
    folder.mkdir(parents=True)
    stage, reason, began = Stage(folder, binary), None, time.monotonic()
    try:
        CASES[name](stage)
        stage.unhurt()
    except Failure as failure:
        reason = str(failure)
    except Exception as error:  # a fault of the case itself is a failure of the case, not of the run
        reason = f"{type(error).__name__}: {error}"
    finally:
        stage.close()
    if reason is None:
        shutil.rmtree(folder, ignore_errors=True)
    return time.monotonic() - began, reason
