"""Packages of PyPI that some checks want: each in an environment of its own under the target folder."""

import os
import pathlib
import subprocess
import threading
import venv

from process import Skipped

TARGET = os.environ.get("CARGO_TARGET_DIR", "target")
INSTALL_SECONDS = 120
# One installs at a time, and who wants the same package finds it.
INSTALLING = threading.Lock()


def python_with(package):
    """The Python that has a package, named with its version, `openai==3.52.0`; skips where it cannot be installed."""
    home = pathlib.Path(TARGET).resolve() / f"python-{package.partition('==')[0]}"
    python, marker = home / "bin" / "python", home / package
    with INSTALLING:
        if not marker.exists():
            try:
                venv.create(home, with_pip=True, clear=True)
                subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", package],
                               check=True, capture_output=True, text=True, timeout=INSTALL_SECONDS)
            except (OSError, subprocess.SubprocessError) as error:
                why = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
                raise Skipped(f"cannot install {package}: {' '.join(why)}") from error
            marker.touch()
    return python
