"""Just enough SIP to judge traces and to send what no well-behaved peer would."""

import hashlib
import itertools
import re
import socket
import ssl
import time

from process import expect

COMPACT = {"v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type"}


class Message:
    """A SIP message as text."""

    def __init__(self, text, sent=False):
        self.text, self.sent = text, sent
        head, _, self.body = text.replace("\r\n", "\n").partition("\n\n")
        self.start, *lines = head.split("\n")
        self.headers = []
        for line in lines:
            name, _, value = line.partition(":")
            name = name.strip().lower()
            self.headers.append((COMPACT.get(name, name), value.strip()))
        words = self.start.split(" ")
        self.status = int(words[1]) if words[0].startswith("SIP/") and len(words) > 1 else None
        self.method = None if self.status else words[0]

    def all(self, name):
        return [value for key, value in self.headers if key == name.lower()]

    def get(self, name):
        return next(iter(self.all(name)), None)

    @property
    def cseq_method(self):
        return (self.get("CSeq") or " ").split(" ")[-1]

    @property
    def to_tag(self):
        found = re.search(r";tag=([^;>\s]+)", self.get("To") or "")
        return found and found.group(1)

    def sdp_address(self):
        """Where the description wants audio, or `None`."""
        media = re.search(r"^m=audio (\d+)", self.body, re.MULTILINE)
        address = re.search(r"^c=IN IP4 (\S+)", self.body, re.MULTILINE)
        return (address.group(1), int(media.group(1))) if media and address else None

    def sdp_direction(self):
        found = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", self.body, re.MULTILINE)
        return found.group(1) if found else "sendrecv"

    def __repr__(self):
        return f"{'→' if self.sent else '←'} {self.start}"


def read_trace(path):
    """The messages of a SIPp `-trace_msg` file, in order."""
    try:
        with open(path, encoding="utf-8", errors="replace", newline="") as file:
            text = file.read()
    except FileNotFoundError:
        return []
    found = []
    for part in re.split(r"^-{20,}.*$", text, flags=re.MULTILINE):
        title, _, message = part.strip("\r\n").partition("\n")
        if " message sent" in title or " message received" in title:
            found.append(Message(message.lstrip("\r\n"), sent=" message sent" in title))
    return found


def digest_fields(value):
    """`Digest a="b", c=d` as a dictionary."""
    scheme, _, rest = value.partition(" ")
    if scheme.lower() != "digest":
        raise ValueError(f"not digest: {value}")
    pairs = re.findall(r'(\w+)=(?:"([^"]*)"|([^,\s]+))', rest)
    return {name.lower(): quoted or bare for name, quoted, bare in pairs}


def digest_response(method, password, fields):
    """The `response` that RFC 7616 §3.4.1 asks for."""
    algorithm = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}[fields.get("algorithm", "MD5").upper()]

    def hashed(*parts):
        return algorithm(":".join(parts).encode()).hexdigest()

    secret = hashed(fields["username"], fields["realm"], password)
    what = hashed(method, fields["uri"])
    if "qop" not in fields:
        return hashed(secret, fields["nonce"], what)
    return hashed(secret, fields["nonce"], fields["nc"], fields["cnonce"], fields["qop"], what)


_versions = itertools.count(1)


# Of a description: keys are telephone-events of this type.
KEYS = "a=rtpmap:101 telephone-event/8000"


def describe(port, formats="0", address="127.0.0.1", profile="RTP/AVP", lines=()):
    """A description of one audio stream, each time a new version of it; `lines` follow its line."""
    body = ["v=0", f"o=- 4711 {next(_versions)} IN IP4 127.0.0.1", "s=-", f"c=IN IP4 {address}", "t=0 0",
            f"m=audio {port} {profile} {formats}", *lines]
    return "\r\n".join(body) + "\r\n"


class Prober:
    """A bare UDP socket that sends whatever it is told to."""

    peer = "a bare socket"
    transport = "UDP"

    def __init__(self, target, source="127.0.0.1", port=0):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((source, port))
        self.address = self.socket.getsockname()
        self.target = target
        self._count = 0

    def send(self, data):
        self.socket.sendto(data if isinstance(data, bytes) else data.encode(), self.target)

    def receive(self, seconds):
        """The next message, or `None` after so long."""
        self.socket.settimeout(seconds)
        try:
            return Message(self.socket.recv(65535).decode("utf-8", "replace"))
        except (TimeoutError, ConnectionError):
            return None

    def request(self, method, user="echo", headers=(), body="", **replaced):
        """A well-formed request outside any dialog, as text; `replaced` overrides header values."""
        self._count += 1
        host, port = self.address
        values = {
            "Via": f"SIP/2.0/{self.transport} {host}:{port};branch=z9hG4bKprobe{port}n{self._count};rport",
            "Max-Forwards": "70",
            "From": f"<sip:probe@{host}:{port}>;tag=probe{self._count}",
            "To": f"<sip:{user}@{self.target[0]}:{self.target[1]}>",
            "Call-ID": f"probe-{port}-{self._count}",
            "CSeq": f"1 {method}",
            "Contact": f"<sip:probe@{host}:{port}>",
        }
        values.update({name.replace("_", "-"): value for name, value in replaced.items()})
        values.update(headers)
        values.setdefault("Content-Length", str(len(body.encode())))
        lines = [f"{method} sip:{user}@{self.target[0]}:{self.target[1]} SIP/2.0"]
        lines += [f"{name}: {value}" for name, value in values.items() if value is not None]
        return "\r\n".join(lines) + "\r\n\r\n" + body

    def close(self):
        self.socket.close()


class TlsProber(Prober):
    """The same over a connection of TLS, whatever certificate it is shown."""

    transport = "TLS"

    def __init__(self, target):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        self.socket = context.wrap_socket(socket.create_connection(target, 5))
        self.address = self.socket.getsockname()
        self.target = target
        self._count = 0
        self._unread = b""

    def send(self, data):
        self.socket.sendall(data if isinstance(data, bytes) else data.encode())

    def receive(self, seconds):
        self.socket.settimeout(seconds)
        while True:
            head, end, rest = self._unread.lstrip(b"\r\n").partition(b"\r\n\r\n")
            if end:
                length = int(Message(head.decode()).get("Content-Length") or 0)
                if len(rest) >= length:
                    self._unread = rest[length:]
                    return Message((head + end + rest[:length]).decode("utf-8", "replace"))
            try:
                more = self.socket.recv(65535)
            except (TimeoutError, ConnectionError):
                return None
            if not more:
                return None
            self._unread += more


class Call:
    """A call that a `Prober` makes, from INVITE to BYE; each request is waited for, one after the other."""

    _count = itertools.count(1)

    def __init__(self, prober, body, user="echo"):
        self.prober, self._user, self._cseq = prober, user, 0
        (host, port), number = prober.address, next(Call._count)
        self._dialog = {
            "From": f"<sip:probe@{host}:{port}>;tag=call{number}",
            "To": f"<sip:{user}@{prober.target[0]}:{prober.target[1]}>",
            "Call_ID": f"call-{port}-{number}",
        }
        self.answer = self.offer(body)
        expect(self.answer.status == 200, f"the call was answered {self.answer}")
        self._dialog["To"] = self.answer.get("To")
        # Where our audio is wanted.
        self.remote = self.answer.sdp_address()

    def offer(self, body):
        """The final answer to an INVITE with this description, acknowledged."""
        answer = self._exchange("INVITE", headers={"Content-Type": "application/sdp"}, body=body)
        ours = {**self._dialog, "To": answer.get("To"), "CSeq": f"{self._cseq} ACK"}
        if answer.status >= 300:
            ours["Via"] = answer.get("Via")  # of the same transaction (RFC 3261 §17.1.1.3)
        self.prober.send(self.prober.request("ACK", self._user, **ours))
        return answer

    def hang_up(self):
        answer = self._exchange("BYE")
        expect(answer.status == 200, f"the BYE was answered {answer}")

    def _exchange(self, method, **more):
        self._cseq += 1
        cseq = f"{self._cseq} {method}"
        self.prober.send(self.prober.request(method, self._user, **self._dialog, CSeq=cseq, **more))
        end = time.monotonic() + 10
        while (left := end - time.monotonic()) > 0:
            answer = self.prober.receive(left)
            # Others may have calls over the same connection.
            is_ours = answer and (answer.get("Call-ID"), answer.get("CSeq")) == (self._dialog["Call_ID"], cseq)
            if is_ours and answer.status and answer.status >= 200:
                return answer
        expect(False, f"the {method} was never answered")
