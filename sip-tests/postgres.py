"""A PostgreSQL of our own, reached by a socket in its folder, for servers that share a database."""

import os
import pathlib
import shutil
import subprocess
import tempfile

from process import Process, expect, wait_for

# `nobody` and `nogroup`: PostgreSQL refuses to be root.
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
# What it holds need not outlive it.
SETTINGS = ["listen_addresses=", "shared_buffers=32MB", "fsync=off", "synchronous_commit=off", "full_page_writes=off"]


class Postgres(Process):
    """`url` is an empty database."""

    def __init__(self):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="offhook-pg-"))
        run_as = []
        if os.geteuid() == 0:
            shutil.chown(self.directory, 65534, 65534)
            run_as = AS_NOBODY
        self.url = f"postgres:///postgres?host={self.directory}&user=offhook"
        programs, data = binaries(), self.directory / "data"
        made = subprocess.run(
            [*run_as, programs / "initdb", "-D", data, "-U", "offhook", "--auth=trust", "--no-sync", "--encoding=UTF8",
             "--locale=C", "--locale-provider=icu", "--icu-locale=en"],
            cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )
        expect(made.returncode == 0, f"initdb failed: {made.stderr}")
        settings = [word for setting in [*SETTINGS, f"unix_socket_directories={self.directory}"] for word in ("-c", setting)]
        super().__init__(self.directory, "postgres", [*run_as, programs / "postgres", "-D", data, *settings])

    def wait_listening(self):
        def listening():
            expect(self.running, f"PostgreSQL ended by itself: {self.tail()}")
            return "ready to accept connections" in self.log()
        wait_for("PostgreSQL is ready", listening)
        return self

    def stop(self):
        super().stop()
        shutil.rmtree(self.directory, ignore_errors=True)


def binaries():
    """The folder of the newest PostgreSQL: Debian's own folders, then the PATH."""
    debian = sorted(pathlib.Path("/usr/lib/postgresql").glob("[0-9]*/bin"), key=lambda folder: int(folder.parent.name))
    found = [folder for folder in reversed(debian) if (folder / "initdb").exists()]
    on_path = shutil.which("initdb")
    if on_path:
        found.append(pathlib.Path(on_path).parent)
    expect(found, "PostgreSQL is not installed: run `make deps`")
    return found[0]
