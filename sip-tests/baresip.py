"""baresip 1.0.0: a headless telephone with a stack of its own."""

import json
import socket

import audio
from process import PORTS, Process, expect, wait_for


class Baresip(Process):
    """A headless baresip 1.0.0 that answers by itself, plays a tone and records both ways."""

    peer = "baresip"
    count = 0

    def __init__(self, folder, user, frequency=440, port=None, registrar=None, host="127.0.0.1", encrypt=None, seconds=30,
                 password=None, codec=("pcmu", 8000), sound=None):
        """`registrar` is a domain and the address of its proxy. With `encrypt = "srtp"` it speaks SRTP with who offers
        it, with "srtp-mand" nothing else. In each call its tone ends after so many seconds. With a `password` it says who it
        is when asked. It speaks the one `codec`, by its name and the rate of its sound. In place of a tone it may say a
        `sound`, samples of that rate."""
        Baresip.count += 1
        self.port, self.control_port, media = port or PORTS.take(2), PORTS.take(), PORTS.take(20)
        self.home = folder / f"baresip-{Baresip.count}"
        self.heard_in = self.home / "rec"
        self.heard_in.mkdir(parents=True)
        name, self.rate = codec
        sound = sound or audio.tone(frequency, seconds, rate=self.rate)
        audio.write_wav(self.home / "tone.wav", sound, self.rate)
        (self.home / "contacts").write_text("")
        domain, way = f"{host}:{self.port}", "regint=0"
        if registrar:
            domain, way = registrar[0], f'regint=60;outbound="{registrar[1]}"'
        (self.home / "accounts").write_text(
            f"<sip:{user}@{domain};transport=udp>;{way};answermode=auto;audio_codecs={name}/{self.rate}/1"
            + (f";mediaenc={encrypt}" if encrypt else "") + (f";auth_pass={password}" if password else "") + "\n"
        )
        modules = "".join(f"module {name}.so\n" for name in ["g711", "g722", "aufile", "sndfile"] + ["srtp"] * bool(encrypt))
        (self.home / "config").write_text(f"""
poll_method epoll
sip_listen {host}:{self.port}
net_interface {host}
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
        self._forgotten = set()

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

    def recorded_seconds(self):
        """How much it has written so far, from the size of its recording."""
        return max((path.stat().st_size for path in self._recordings()), default=0) / (2 * self.rate)

    def heard(self):
        """What it decoded, once the call is over and the file is there: `(rate, samples)`."""
        def recording():
            files = [path for path in self._recordings() if path.stat().st_size > 1000]
            return files[0] if files else None
        rate, channels = audio.read_wav(wait_for("baresip's recording is there", recording))
        return rate, channels[0]

    def forget(self):
        """What was seen and heard so far no longer counts: the next call begins."""
        self._read()
        self.events.clear()
        self._forgotten.update(self._recordings())

    def _recordings(self):
        return [path for path in self.heard_in.glob("*-dec.wav") if path not in self._forgotten]

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
