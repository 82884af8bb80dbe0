"""Kamailio 5.6 as the trunk: registrar and proxy with a digest, in front of a telephone."""

import os
import pathlib
import shutil

from process import PORTS, Process, expect, udp_bound, wait_for

TEMPLATE = pathlib.Path(__file__).resolve().with_suffix(".cfg")
DOMAIN = "trunk.test"
USER, PASSWORD = "gateway", "gw-Secret12345"


def program():
    """Debian keeps it out of the path of people who are not root."""
    return shutil.which("kamailio", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Kamailio(Process):
    """A trunk of the domain `trunk.test`, which says in its log what it was sent."""

    def __init__(self, folder, algorithm, phone_port):
        self.port = PORTS.take()
        config = TEMPLATE.read_text()
        for name, value in {
            "LISTEN": f"127.0.0.1:{self.port}", "PHONE_PORT": phone_port, "ALGORITHM": algorithm, "PASSWORD": PASSWORD,
        }.items():
            config = config.replace(f"@{name}@", str(value))
        (folder / "kamailio.cfg").write_text(config)
        run = folder / "kamailio"
        run.mkdir()
        super().__init__(folder, "kamailio-trunk", [
            program(), "-DD", "-E", "-f", folder / "kamailio.cfg", "-Y", run, "-P", run / "pid", "-m", 32, "-M", 8,
        ])

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
