"""A crowd that connects over TCP: to say nothing, or a byte now and then of what never becomes a message."""

import os
import resource
import select
import socket
import time

from process import Skipped

# So many connections ask at once; more would overflow the queue of who listens.
AT_ONCE = 100
PATIENCE_SECONDS = 5
BEGINNING = b"OPTIONS sip:echo@127.0.0.1 SIP/2.0\r\n"
# A header field that goes on for ever.
ENDLESS = b"Subject: " + b"x" * 100_000


class Crowd:
    """Connections to `target` from the address `source`."""

    peer = "a bare socket"

    def __init__(self, target, source):
        self.target, self.source = target, source
        self.connected = 0
        self.answered = b""
        self._open = {}
        self._said = 0
        self._changes = select.epoll()

    def join(self, count):
        """As many more connections, one after the other; who is refused or hung up on stays away."""
        room_for(count + 200)
        for _ in range(0, count, AT_ONCE):
            joining = []
            for _ in range(min(AT_ONCE, count)):
                peer = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
                peer.setblocking(False)
                peer.bind((self.source, 0))
                peer.connect_ex(self.target)
                joining.append(peer)
            count -= len(joining)
            self._settle(joining)

    def trickle(self, size=1):
        """Each says so many bytes more of a message that has no end."""
        text = (BEGINNING + ENDLESS)[self._said : self._said + size]
        self._said += size
        for peer in list(self._open.values()):
            try:
                peer.send(text)
            except OSError:
                self._leave(peer)

    def present(self):
        """How many connections stand; what they were told is in `answered`."""
        while ready := self._changes.poll(0, 1024):
            for number, _ in ready:
                peer = self._open[number]
                try:
                    said = peer.recv(4096)
                except BlockingIOError:
                    continue
                except OSError:
                    said = b""
                self.answered += said
                if not said:
                    self._leave(peer)
        return len(self._open)

    def close(self):
        for peer in list(self._open.values()):
            self._leave(peer)
        self._changes.close()

    def _settle(self, joining):
        end = time.monotonic() + PATIENCE_SECONDS
        waiting = {peer.fileno(): peer for peer in joining}
        poll = select.poll()
        for number in waiting:
            poll.register(number, select.POLLOUT)
        while waiting and time.monotonic() < end:
            for number, _ in poll.poll(100):
                poll.unregister(number)
                peer = waiting.pop(number)
                if peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                    peer.close()
                    continue
                self.connected += 1
                self._open[number] = peer
                self._changes.register(number, select.EPOLLIN)
        for peer in waiting.values():
            peer.close()

    def _leave(self, peer):
        number = peer.fileno()
        self._changes.unregister(number)
        del self._open[number]
        peer.close()


def room_for(files):
    """Raises how many files this process may open, if that is needed and allowed."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = len(os.listdir("/proc/self/fd")) + files
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise Skipped(f"this process may open {hard} files, not {needed}")
    if soft != resource.RLIM_INFINITY and soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
