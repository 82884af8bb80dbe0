"""rtpengine 10.5, in user space: audio through a program of its own, encrypted on one side if the trunk wants that."""

from process import PORTS, Process, expect, udp_bound, wait_for


class Rtpengine(Process):
    """Takes orders from Kamailio at `control`."""

    peer = "rtpengine"

    def __init__(self, folder, host="127.0.0.1"):
        self.port, media = PORTS.take(), PORTS.take(40)
        self.control = f"{host}:{self.port}"
        super().__init__(folder, "rtpengine", [
            # Debian's own configuration would open more ports.
            "rtpengine", "--config-file=none", "--foreground", "--log-stderr", "--log-level=6", "--table=-1",
            "--no-fallback", "--num-threads=2", f"--interface={host}", f"--listen-ng={self.control}",
            f"--port-min={media}", f"--port-max={media + 39}", f"--pidfile={folder}/rtpengine.pid",
        ])

    def wait_listening(self):
        def listening():
            expect(self.running, f"rtpengine ended at once: {self.tail()}")
            return udp_bound(self.port)
        wait_for("rtpengine takes orders", listening)
        return self
