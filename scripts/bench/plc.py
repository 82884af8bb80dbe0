#!/usr/bin/env python3
"""Concealment of lost packets, judged by PESQ: plc.py PROGRAM TARGET [SEED]

PROGRAM is the example bench-plc, TARGET a folder for the environment with PyPI's `pesq`. The same packets of the same
clips are lost for all: silence instead of them, the frame before once more, spandsp's `plc`, and a call of ours at the
delay it chooses. Needs Debian's asterisk-core-sounds-en-wav and libspandsp2; PLC_CLIPS may name more clips (8 kHz, mono,
separated by colons). Ends 1 when ours is not ahead in each row, 2 when something is missing.
"""

import ctypes
import ctypes.util
import os
import pathlib
import random
import subprocess
import sys
import tempfile
import venv
import wave

SOUNDS = "/usr/share/asterisk/sounds"
CLIPS = 16
SECONDS = (5, 12)
FRAME = 160
KINDS = ["1", "3", "5", "10", "5-burst-2", "10-burst-2", "10-burst-3"]


def missing(what):
    print(f"plc.py: {what}", file=sys.stderr)
    sys.exit(2)


def in_environment(target):
    """Runs this program again where `pesq` is."""
    home = pathlib.Path(target).absolute() / "plc-environment"
    python = home / "bin" / "python3"
    if pathlib.Path(sys.prefix) == home:
        return
    packages = ["pesq==0.0.4", "numpy<2"]
    if not (home / "ready").exists():
        print("installing pesq in an environment of its own", file=sys.stderr)
        venv.create(home, with_pip=True, clear=True)
        if subprocess.run([python, "-m", "pip", "install", "--quiet", *packages]).returncode:
            missing("pesq could not be installed")
        (home / "ready").touch()
    os.execv(python, [str(python), *sys.argv])


def read(path):
    with wave.open(str(path)) as file:
        return file.readframes(file.getnframes())


def clips():
    """Some of the longer prompts, spread over the alphabet."""
    found, seen = [], set()
    for path in sorted(pathlib.Path(SOUNDS).glob("en*/*.wav")):
        with wave.open(str(path)) as file:
            seconds = file.getnframes() / file.getframerate()
        # The folder has several names.
        if SECONDS[0] <= seconds <= SECONDS[1] and path.name not in seen:
            seen.add(path.name)
            found.append(path)
    if len(found) < CLIPS:
        missing("apt-get install asterisk-core-sounds-en-wav")
    more = [pathlib.Path(path) for path in os.environ.get("PLC_CLIPS", "").split(":") if path]
    return found[:: len(found) // CLIPS][:CLIPS] + more


def silence(frames, lost):
    return [bytes(2 * FRAME) if gone else frame for frame, gone in zip(frames, lost)]


def repetition(frames, lost):
    played, last = [], bytes(2 * FRAME)
    for frame, gone in zip(frames, lost):
        last = last if gone else frame
        played.append(last)
    return played


def spandsp(frames, lost):
    library = ctypes.CDLL(ctypes.util.find_library("spandsp") or missing("apt-get install libspandsp2"))
    library.plc_init.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.plc_init(None))
    played = []
    for frame, gone in zip(frames, lost):
        samples = (ctypes.c_int16 * FRAME).from_buffer_copy(bytes(2 * FRAME) if gone else frame)
        (library.plc_fillin if gone else library.plc_rx)(state, samples, FRAME)
        played.append(bytes(samples))
    library.plc_free(state)
    return played


def main():
    program, target = sys.argv[1:3]
    in_environment(target)
    import numpy
    from pesq import pesq

    seed = int(sys.argv[3]) if len(sys.argv) > 3 else random.randrange(1_000_000)
    paths = clips()
    rivals = {"silence": silence, "repetition": repetition, "spandsp": spandsp}
    print(f"concealment: PESQ-NB, {len(paths)} clips, 20 ms, G.711, seed {seed}")
    print(f"{'% lost':<12}" + "".join(f"{name:>12}" for name in [*rivals, "ours"]))
    with tempfile.TemporaryDirectory() as folder:
        if subprocess.run([program, folder, str(seed), *map(str, paths)]).returncode:
            missing("the example failed")
        behind = []
        for kind in KINDS:
            scores = {name: [] for name in [*rivals, "ours"]}
            for path in paths:
                line = read(pathlib.Path(folder) / f"{path.stem}-none.wav")
                frames = [line[at : at + 2 * FRAME] for at in range(0, len(line) - 2 * FRAME + 1, 2 * FRAME)]
                stem = pathlib.Path(folder) / f"{path.stem}-{kind}"
                lost = [digit == "1" for digit in stem.with_name(stem.name + ".lost").read_text()]
                heard = {name: b"".join(rival(frames, lost)) for name, rival in rivals.items()}
                heard["ours"] = read(stem.with_name(stem.name + ".wav"))
                for name, sound in heard.items():
                    degraded = numpy.frombuffer(sound, dtype=numpy.int16)
                    scores[name].append(pesq(8000, numpy.frombuffer(line, dtype=numpy.int16), degraded, "nb"))
            means = {name: sum(values) / len(values) for name, values in scores.items()}
            print(f"{kind:<12}" + "".join(f"{mean:>12.2f}" for mean in means.values()), flush=True)
            if means["ours"] <= max(means[name] for name in rivals):
                behind.append(kind)
    rows = len(KINDS)
    print(f"plc: ours ahead in {rows - len(behind)} of {rows} rows" + (f"; BEHIND: {', '.join(behind)}" if behind else ""))
    sys.exit(1 if behind else 0)


main()
