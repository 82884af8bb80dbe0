"""Kamailio 5.6 as the trunk: registrar and proxy with a digest, in front of a telephone."""

import os
import pathlib
import shutil
import subprocess

from namespaces import OUTSIDE
from process import PORTS, Process, expect, udp_bound, wait_for

TEMPLATE = pathlib.Path(__file__).resolve().with_suffix(".cfg")
DOMAIN = "trunk.test"
USER, PASSWORD = "gateway", "gw-Secret12345"


def program():
    """Debian keeps it out of the path of people who are not root."""
    return shutil.which("kamailio", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


def make_certificates(folder, trunk=f"DNS:{DOMAIN},IP:127.0.0.1,IP:{OUTSIDE}"):
    """An authority, and certificates of it for the trunk (by name and by address) and for the gateway, in PEM."""
    def openssl(*words):
        ended = subprocess.run(["openssl", *map(str, words)], cwd=folder, capture_output=True, text=True, check=False)
        expect(ended.returncode == 0, f"openssl {words[0]}: {ended.stderr}")

    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl("req", "-x509", *key, "-keyout", "ca.key", "-out", "ca.pem", "-days", 2, "-subj", "/CN=sip-tests authority")
    for name, names in {"server": trunk, "client": "DNS:gateway.test"}.items():
        (folder / f"{name}.ext").write_text(f"subjectAltName={names}\n")
        openssl("req", *key, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", 2,
                "-extfile", f"{name}.ext", "-out", f"{name}.pem")


class Kamailio(Process):
    """A trunk of the domain `trunk.test`, which says in its log what it was sent."""

    peer = "Kamailio"

    def __init__(self, folder, algorithm, phone_port, tls=False, verify_clients=False, host="127.0.0.1", media=None,
                 encrypt=False, port=None, session_timer=False):
        """With `tls` it needs what `make_certificates` left in the folder. `media` is an `Rtpengine` that all audio
        goes through, on our side encrypted if `encrypt`. With `session_timer` it wants each call refreshed."""
        self.host = host
        self.port, self.tls_port = port or PORTS.take(), PORTS.take()
        config = TEMPLATE.read_text()
        for name, value in {
            "LISTEN": f"{host}:{self.port}", "TLS_LISTEN": f"{host}:{self.tls_port}", "CERTIFICATES": folder,
            "VERIFY_CLIENTS": int(verify_clients), "PHONE_PORT": phone_port, "ALGORITHM": algorithm, "PASSWORD": PASSWORD,
            "RTPENGINE": media.control if media else "", "TO_GATEWAY": "RTP/SAVP DTLS=off" if encrypt else "RTP/AVP",
        }.items():
            config = config.replace(f"@{name}@", str(value))
        (folder / "kamailio.cfg").write_text(config)
        run = folder / "kamailio"
        run.mkdir()
        super().__init__(folder, "kamailio-trunk", [
            program(), "-DD", "-E", "-f", folder / "kamailio.cfg", "-Y", run, "-P", run / "pid", "-m", 64, "-M", 8,
            *(["-A", "WITH_TLS"] if tls else []), *(["-A", "WITH_RTPENGINE"] if media else []),
            *(["-A", "WITH_SESSION_TIMER"] if session_timer else []),
        ])

    def proxy(self, transport="udp"):
        """Its address over that transport, as a SIP URI."""
        return f"sip:{self.host}:{self.tls_port if transport == 'tls' else self.port};transport={transport}"

    def wait_listening(self):
        def listening():
            expect(self.running, f"Kamailio ended at once: {self.tail()}")
            return udp_bound(self.port)
        wait_for("Kamailio listens", listening)
        return self

    def seen(self, words=""):
        """What happened, in order, without what the log puts in front."""
        lines = [line.partition("trunk: ")[2] for line in self.log().splitlines() if "trunk: " in line]
        return [line for line in lines if words in line]

    def wait_seen(self, words):
        return wait_for(f"the trunk's log says {words!r}", lambda: self.seen(words))
