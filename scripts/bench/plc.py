#!/usr/bin/env python3
"""Concealment of lost packets, judged by PESQ and by a recogniser: plc.py PROGRAM OFFHOOK TARGET [SEED]

PROGRAM is the example bench-plc, OFFHOOK the binary whose `transcribe` counts words, TARGET a folder for the environment
with PyPI's `pesq`. The same packets of the same clips are lost for all, drawn three times: silence instead of them, the frame
before once more, spandsp's `plc`, and a call of ours at the delay it has chosen by then. Needs Debian's
asterisk-core-sounds-en-wav and libspandsp2; PLC_CLIPS may name more clips (8 kHz, mono, separated by colons), of which no words
are counted. Ends 1 when ours is not ahead by PESQ in each row, or misheard more than one of the others; 2 when something is
missing.
"""

import ctypes
import ctypes.util
import gzip
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import wave
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import environment
from environment import missing

SOUNDS = "/usr/share/asterisk/sounds"
TEXTS = "/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
CLIPS = 16
SECONDS = (5, 12)
FRAME = 160
# So often the losses are drawn; at the smallest share a clip has few.
DRAWS = 3
# Losses after which words are counted too.
WORD_KINDS = ["5", "10-burst-2"]
KINDS = [share + burst for burst in ("", "-burst-2", "-burst-3") for share in ("1", "3", "5", "10")]


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


RIVALS = {"silence": silence, "repetition": repetition, "spandsp": spandsp}
NAMES = [*RIVALS, "ours"]


def heard(drawn, stem, kind):
    """What each makes of a clip with the packets lost that were drawn."""
    line = read(drawn / f"{stem}-none.wav")
    frames = [line[at : at + 2 * FRAME] for at in range(0, len(line) - 2 * FRAME + 1, 2 * FRAME)]
    lost = [digit == "1" for digit in (drawn / f"{stem}-{kind}.lost").read_text()]
    sounds = {name: b"".join(rival(frames, lost)) for name, rival in RIVALS.items()}
    return {**sounds, "ours": read(drawn / f"{stem}-{kind}.wav")}


def judged(clip):
    """PESQ of each, in the order of NAMES."""
    import numpy
    from pesq import pesq

    drawn, stem, kind = clip
    line = numpy.frombuffer(read(drawn / f"{stem}-none.wav"), dtype=numpy.int16)
    sounds = heard(drawn, stem, kind)
    return [pesq(8000, line, numpy.frombuffer(sounds[name], dtype=numpy.int16), "nb") for name in NAMES]


def texts():
    """What each prompt says, by the name of its file, as words."""
    said = {}
    with gzip.open(TEXTS, "rt", encoding="utf-8", errors="replace") as lines:
        for line in lines:
            name, parted, text = line.partition(":")
            if parted and not line.startswith(";"):
                said[pathlib.Path(name.strip()).name] = words(text)
    return said


def words(text):
    return re.findall(r"[a-z']+", text.lower())


def misheard(said, heard):
    """Words put in, left out or exchanged, at least."""
    row = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        before, row = row, [number]
        for place, other in enumerate(heard, 1):
            row.append(min(before[place] + 1, row[-1] + 1, before[place - 1] + (word != other)))
    return row[-1]


def transcribed(offhook, folder, name, sound):
    path = pathlib.Path(folder) / f"{name}.wav"
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))
        file.writeframes(sound)
    done = subprocess.run([offhook, "transcribe", str(path)], capture_output=True, text=True)
    if done.returncode:
        missing(f"offhook transcribe: {done.stderr.strip()}")
    return words(done.stdout)


def main():
    program, offhook, target = sys.argv[1:4]
    environment.enter(target, "plc", ["pesq==0.0.4", "numpy<2"])

    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.randrange(1_000_000)
    paths = clips()
    print(f"concealment: PESQ-NB, {len(paths)} clips, losses drawn {DRAWS} times, 20 ms, G.711, seed {seed}")
    print(f"{'% lost':<12}" + "".join(f"{name:>12}" for name in NAMES))
    with tempfile.TemporaryDirectory() as folder, ProcessPoolExecutor(os.cpu_count()) as pool:
        folders = [pathlib.Path(folder) / str(draw) for draw in range(DRAWS)]
        for draw, drawn in enumerate(folders):
            drawn.mkdir()
            if subprocess.run([program, drawn, str(seed + draw), *map(str, paths)]).returncode:
                missing("the example failed")
        behind, said, to_hear = [], texts(), []
        for kind in KINDS:
            scores = list(pool.map(judged, [(drawn, path.stem, kind) for drawn in folders for path in paths]))
            means = {name: sum(values) / len(values) for name, values in zip(NAMES, zip(*scores))}
            print(f"{kind:<12}" + "".join(f"{mean:>12.2f}" for mean in means.values()), flush=True)
            if means["ours"] <= max(means[name] for name in RIVALS):
                behind.append(kind)
            for path in (path for path in paths if kind in WORD_KINDS and path.stem in said):
                for drawn in folders:
                    to_hear += [(kind, name, path.stem, sound) for name, sound in heard(drawn, path.stem, kind).items()]
        wrong = count_words(offhook, folder, said, to_hear, NAMES)
    if any(wrong["ours"] > wrong[name] for name in RIVALS):
        behind.append("words")
    rows = len(KINDS) + 1
    print(f"plc: ours ahead in {rows - len(behind)} of {rows} rows, words among them" + (f"; BEHIND: {', '.join(behind)}" if behind else ""))
    sys.exit(1 if behind else 0)


def count_words(offhook, folder, said, to_hear, names):
    """Words misheard, by what was done about the losses."""
    def hear(number):
        kind, name, stem, sound = to_hear[number]
        return kind, name, misheard(said[stem], transcribed(offhook, folder, f"heard-{number}", sound))

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        counted = list(pool.map(hear, range(len(to_hear))))
    spoken = sum(len(said[stem]) for _, name, stem, _ in to_hear if name == names[0])
    for kind in WORD_KINDS:
        row = [sum(wrong for of, by, wrong in counted if (of, by) == (kind, name)) for name in names]
        print(f"{kind + ' words':<12}" + "".join(f"{wrong:>12}" for wrong in row), flush=True)
    print(f"words misheard, of {spoken} spoken in both rows together; the recogniser knows telephone talk, not all of these")
    return {name: sum(wrong for _, by, wrong in counted if by == name) for name in names}


main()
