"""SIPp 3.6.1: one run of one of our scenarios, of one call with a trace, or of many without."""

import csv
import pathlib
import re

import sip
from process import CALL_SECONDS, Process, expect, udp_bound, wait_for

SCENARIOS = pathlib.Path(__file__).resolve().parent / "scenarios"


class Sipp(Process):
    """One SIPp run of one of our scenarios: one call, traced, or many."""

    peer = "SIPp"
    count = 0

    def __init__(self, folder, scenario, port, target=None, service="echo", seconds=60, event_type=101, host="127.0.0.1",
                 headers=(), calls=1, rate=10.0, media_port=None, **keys):
        """Of what SIPp sends itself, `[media_port+4]` of a scenario is the first port that others may have as well.
        `headers` are more header fields of the first message with a description. Many `calls` are placed at so many a
        second, and only what came unexpected is kept of them."""
        Sipp.count += 1
        self.port = port
        name = f"sipp-{scenario}-{Sipp.count}"
        self.trace_path = folder / f"{name}.trace"
        command = ["sipp"]
        if target:
            command.append(f"{target[0]}:{target[1]}")
        # SIPp reads the status code of a response when it loads the file, too early for its own -key.
        text = (SCENARIOS / f"{scenario}.xml").read_text()
        for key, value in {"audio_host": host, **keys, "event_type": event_type}.items():
            text = text.replace(f"[{key}]", str(value))
        more = "".join(f"    {header}\n" for header in headers)
        text = text.replace("    Content-Type:", f"{more}    Content-Type:", 1)
        (folder / f"{name}.xml").write_text(text)
        command += ["-sf", folder / f"{name}.xml", "-i", host, "-p", port, "-m", calls, "-nostdin",
                    "-s", service, "-timeout", f"{seconds}s", "-timeout_error",
                    "-trace_err", "-error_file", folder / f"{name}.errors"]
        if media_port:
            command += ["-mp", media_port]
        if calls == 1:
            command += ["-trace_msg", "-message_file", self.trace_path]
        else:
            self.figures_path = folder / f"{name}.csv"
            command += ["-r", calls, "-rp", round(1000 * calls / rate), "-l", calls,
                        "-trace_stat", "-stf", self.figures_path, "-fd", 1]
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

    def succeeded(self, seconds):
        """How many of many calls went as written, once they are all over."""
        wait_for(f"{self.name} ends", lambda: not self.running, seconds)
        with open(self.figures_path, encoding="ascii", newline="") as file:
            return int(list(csv.DictReader(file, delimiter=";"))[-1]["SuccessfulCall(C)"])

    def refused(self, status):
        """How many of many calls came to nothing because of such an answer."""
        errors = self.errors_path.read_text(errors="replace") if self.errors_path.exists() else ""
        return len(re.findall(rf"Aborting call on [^\n]*received 'SIP/2\.0 {status} ", errors))

    def _why(self):
        seen = " ".join(repr(message) for message in self.messages()[-6:])
        errors = self.errors_path.read_text(errors="replace").strip()[:600] if self.errors_path.exists() else ""
        return f"{errors or self.tail(2)} [{seen}]"
