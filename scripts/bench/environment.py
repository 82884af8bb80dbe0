"""Python environments of the benchmarks, each with packages of its own below the target folder."""

import os
import pathlib
import subprocess
import sys
import venv


def missing(what):
    """Ends the program: something that it needs is not there."""
    print(f"{pathlib.Path(sys.argv[0]).name}: {what}", file=sys.stderr)
    sys.exit(2)


def enter(target, name, packages, alone=()):
    """Runs this program again where the packages are; those of `alone` without what they say they need."""
    home = pathlib.Path(target).absolute() / f"{name}-environment"
    python = home / "bin" / "python3"
    if pathlib.Path(sys.prefix) == home:
        return
    if not (home / "ready").exists():
        print(f"installing {', '.join([*packages, *alone])} in an environment of their own", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        for wanted in [packages, *(["--no-deps", package] for package in alone)]:
            if subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted]).returncode:
                missing(f"{' '.join(wanted)} could not be installed")
        (home / "ready").touch()
    os.execv(python, [str(python), *sys.argv])
