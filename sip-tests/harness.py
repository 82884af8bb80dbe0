"""The stage of a case: the program under test, its peers, and a clean end for all of them."""

import collections
import shutil
import time

import rtp
import sip
from baresip import Baresip
from kamailio import Kamailio
from offhook import Offhook
from postgres import Postgres
from process import PORTS, Failure, Process, Skipped, expect, idle, wait_for
from rtpengine import Rtpengine
from sipp import Sipp

__all__ = ["CASES", "Failure", "Skipped", "Stage", "case", "expect", "idle", "run_case", "wait_for"]


class Stage:
    """All that one case has started; `close` ends it."""

    def __init__(self, folder, binary):
        self.folder, self.binary = folder, binary
        self._open = []
        self._servers = []

    def offhook(self, peer_port=None, node=None, **options):
        """A server, ready. Without a `peer_port` its trunk leads nowhere. One of several has its name and folder as `node`."""
        if not peer_port and not {"domain", "proxy"} & options.keys():
            peer_port = PORTS.take()
        folder = self.folder
        if node:
            folder, options = folder / node, {**options, "node": node}
            folder.mkdir()
        server = Offhook(self.binary, folder, peer_port, **options)
        self._open.append(server)
        self._servers.append(server)
        server.wait_ready()
        return server

    def kill(self, server):
        """Ends a server as a crash would; the next one of the case has what it leaves."""
        server.kill()
        self._servers.remove(server)

    def caller(self, scenario, target, port=None, **options):
        """SIPp calls `target`."""
        caller = Sipp(self.folder, scenario, port or PORTS.take(), target, **options)
        self._open.append(caller)
        return caller

    def callee(self, scenario, port=None, **options):
        """SIPp waits to be called; give its `port` to `offhook`."""
        callee = Sipp(self.folder, scenario, port or PORTS.take(), **options)
        self._open.append(callee)
        return callee.wait_listening()

    def inbound(self, scenario="call", event_type=101, **options):
        """SIPp calls a new server, its audio that of a phone: `(phone, server, caller)`."""
        phone, server = self.phone(event_type=event_type), self.offhook()
        caller = self.caller(scenario, server.target, audio_port=phone.port, event_type=event_type, **options)
        phone.call(caller.remote_audio())
        return phone, server, caller

    def outbound(self, phone, scenario="answer", **options):
        """A new server with these options calls SIPp, its audio that of the phone: `(server, call_id, callee)`."""
        callee = self.callee(scenario, audio_port=phone.port, event_type=phone.event_type)
        server = self.offhook(callee.port, **options)
        return server, server.dial(), callee

    def simulated_party(self, scenario):
        """`offhook callee` as a SIP endpoint: its address."""
        port = PORTS.take()
        party = Process(self.folder, f"callee-{scenario}", [
            self.binary, "callee", "--scenario", scenario, "--listen", f"udp://127.0.0.1:{port}", "--json",
        ])
        self._open.append(party)
        wait_for("the simulated party prints its address", lambda: str(port) in party.log())
        return "127.0.0.1", port

    def baresip(self, user="bob", frequency=440, **options):
        peer = Baresip(self.folder, user, frequency, **options)
        self._open.append(peer)
        return peer.wait_listening()

    def rtpengine(self, **options):
        media = Rtpengine(self.folder, **options)
        self._open.append(media)
        return media.wait_listening()

    def postgres(self):
        database = Postgres()
        self._open.append(database)
        return database.wait_listening()

    def kamailio(self, algorithm, phone_port, **options):
        trunk = Kamailio(self.folder, algorithm, phone_port, **options)
        self._open.append(trunk)
        return trunk.wait_listening()

    def keep(self, thing):
        """What has a `close` and is to be closed at the end."""
        self._open.append(thing)
        return thing

    def phone(self, **options):
        phone = rtp.Phone(**options)
        self._open.append(phone)
        return phone

    def player(self, **options):
        return self.keep(rtp.Player(**options))

    def call(self, server, body, user="echo", prober=None):
        """A call of ours to the server, answered; the prober may have others."""
        return sip.Call(prober or self.prober(server.target), body, user)

    def prober(self, target, **options):
        prober = sip.Prober(target, **options)
        self._open.append(prober)
        return prober

    def close(self):
        for thing in reversed(self._open):
            thing.stop() if isinstance(thing, Process) else thing.close()

    def peers(self):
        """Who took part besides us, each once."""
        return list(dict.fromkeys(thing.peer for thing in self._open if hasattr(thing, "peer")))

    def unhurt(self):
        for server in self._servers:
            server.unhurt()


CASES = {}
# Without a reason it passed; with one it failed, unless it was skipped.
Result = collections.namedtuple("Result", "seconds reason skipped peers")


def case(function=None, over="udp", patient=False, soak=False, greedy=False):
    """Registers a case under its function's name; `over` is the transport of our signalling.

    A `patient` case spends its time waiting, so that it runs beside the others and takes no turn of theirs. A `greedy` one keeps
    the processors busy, so that it waits for those that do not: what they hear would suffer. A `soak` is one that takes minutes,
    and runs only when it is asked for.
    """
    if function is None:
        return lambda function: case(function, over, patient, soak, greedy)
    function.over, function.patient, function.soak, function.greedy = over, patient, soak, greedy
    CASES[function.__name__] = function
    return function


def run_case(name, binary, root):
    """What became of a case; its folder stays only when it failed."""
    folder = root / name
    folder.mkdir(parents=True)
    stage, reason, skipped, began = Stage(folder, binary), None, False, time.monotonic()
    try:
        CASES[name](stage)
        stage.unhurt()
    except Failure as failure:
        reason = str(failure)
    except Skipped as obstacle:
        reason, skipped = str(obstacle), True
    except Exception as error:  # a fault of the case itself is a failure of the case, not of the run
        reason = f"{type(error).__name__}: {error}"
    finally:
        stage.close()
    if reason is None or skipped:
        shutil.rmtree(folder, ignore_errors=True)
    return Result(time.monotonic() - began, reason, skipped, stage.peers())
