#!/usr/bin/env python3
"""Voice activity on a telephone line, beside Silero and WebRTC: vad.py OFFHOOK TARGET SEED SOUND...

OFFHOOK is the binary whose `listen --frames` is judged and whose `say` gives synthetic voices; TARGET a folder for the
environment with PyPI's `silero-vad` (through `onnxruntime`) and `webrtcvad-wheels`; SOUND prompts (8 kHz WAV, or GSM) and, below
a folder `moh`, music. Needs Debian's asterisk-core-sounds-en for the texts, and libgsm1. Prints the area under the curve of
each detector for each kind of line, the frames in which tones and music are taken for speech, the delay of an onset, and CPU
time. Ends 1 when ours misses a bound; 2 when something is missing.
"""

import ctypes
import gzip
import importlib.util
import json
import pathlib
import random
import resource
import subprocess
import sys
import tempfile
import time
import wave

import environment

TEXTS = "/usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
VOICES = ["rms", "slt", "kal16", "awb"]
RATE = 8000
# Clips of recorded people, and of each synthetic voice.
RECORDED = 48
SYNTHETIC = 8
SECONDS = (2, 10)
WORDS = (5, 30)
PAUSE_SECONDS = (0.3, 2.0)
# Active level of speech, and of lines on which it is 26 dB lower, in dBm0.
LEVEL = -20
QUIETER = 26
# What is labelled: speech down to so many dB below its active level, silence from so many on; between them nothing is.
SPEECH_DOWN_TO = 28
SILENCE_FROM = 40
# Shorter silence within speech is speech.
BRIDGED = 10
# 10 ms: a frame of labels.
LABEL = RATE // 100
FULL_SCALE_DBM0 = 3.17
FALSE_SHARE = 0.005
ONSET_MS = 60
SILERO_SHARE = 0.25


def active_level(sound):
    """Mean square of all that is not 15.9 dB below it (ITU-T P.56)."""
    powers = (sound[: len(sound) // 160 * 160].reshape(-1, 160).astype(float) ** 2).mean(axis=1)
    active = 0
    for _ in range(10):
        active = powers[powers >= active / 10**1.59].mean()
    return active


def at_level(sound, dbm0):
    full = 32124 / 10 ** (FULL_SCALE_DBM0 / 20)
    return sound * (full / 2**0.5 * 10 ** (dbm0 / 20) / active_level(sound) ** 0.5)


def telephone(sound):
    """What passes 250 to 3,500 Hz, over µ-law."""
    spectrum = numpy.fft.rfft(sound)
    hertz = numpy.fft.rfftfreq(len(sound), 1 / RATE)
    spectrum *= numpy.clip((hertz - 200) / 100, 0, 1) * numpy.clip((3600 - hertz) / 200, 0, 1)
    line = numpy.clip(numpy.fft.irfft(spectrum, len(sound)), -32124, 32124)
    magnitude = numpy.minimum(numpy.abs(line) + 132, 32767).astype(int)
    segment = numpy.floor(numpy.log2(magnitude)).astype(int) - 7
    step = magnitude >> (segment + 3) & 15
    decoded = ((step << 3) + 132 << segment) - 132
    return (numpy.sign(line) * decoded).astype(numpy.int16)


def read_wav(path):
    with wave.open(str(path)) as file:
        if file.getframerate() != RATE:
            environment.missing(f"{path}: {file.getframerate()} Hz")
        return numpy.frombuffer(file.readframes(file.getnframes()), dtype=numpy.int16)


def read_gsm(path):
    library = ctypes.CDLL("libgsm.so.1")
    library.gsm_create.restype = ctypes.c_void_p
    state = ctypes.c_void_p(library.gsm_create())
    coded, decoded, frame = pathlib.Path(path).read_bytes(), [], (ctypes.c_int16 * 160)()
    for at in range(0, len(coded) - 32, 33):
        library.gsm_decode(state, coded[at : at + 33], frame)
        decoded.append(numpy.array(frame, dtype=numpy.int16))
    library.gsm_destroy(state)
    return numpy.concatenate(decoded) if decoded else numpy.zeros(0, numpy.int16)


def read(path):
    return read_gsm(path) if str(path).endswith(".gsm") else read_wav(path)


def write(path, sound):
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(sound.tobytes())


def sentences():
    if not pathlib.Path(TEXTS).exists():
        environment.missing("apt-get install asterisk-core-sounds-en")
    with gzip.open(TEXTS, "rt", encoding="utf-8", errors="replace") as lines:
        texts = [line.partition(":")[2].strip() for line in lines if not line.startswith(";")]
    return [text for text in texts if WORDS[0] <= len(text.split()) <= WORDS[1]]


def clips(offhook, folder, dice, prompts):
    """Somebody says something: recorded, and read by each synthetic voice."""
    said = []
    for path in dice.sample(prompts, len(prompts)):
        sound = read(path)
        if len(said) < RECORDED and SECONDS[0] <= len(sound) / RATE <= SECONDS[1]:
            said.append(sound)
    if len(said) < RECORDED:
        environment.missing(f"{len(said)} prompts of {SECONDS} seconds, {RECORDED} wanted")
    path = pathlib.Path(folder) / "said.wav"
    for voice in VOICES:
        for text in dice.sample(sentences(), SYNTHETIC):
            if subprocess.run([offhook, "say", "--voice", voice, "--out", path, text], stdout=subprocess.DEVNULL).returncode:
                environment.missing("offhook say failed")
            said.append(read_wav(path))
    dice.shuffle(said)
    return [at_level(sound, LEVEL) for sound in said]


def labels(sound):
    """1 where somebody speaks, 0 where nobody does, NaN where it is hard to say; every 10 ms."""
    frames = len(sound) // LABEL
    padded = numpy.pad(sound[: frames * LABEL].astype(float) ** 2, LABEL)
    # 30 ms about each.
    powers = numpy.array([padded[n * LABEL : (n + 3) * LABEL].mean() for n in range(frames)])
    below = 10 * numpy.log10(active_level(sound) / numpy.maximum(powers, 1e-9))
    marks = numpy.where(below <= SPEECH_DOWN_TO, 1.0, numpy.where(below >= SILENCE_FROM, 0.0, numpy.nan))
    speech = numpy.flatnonzero(marks == 1)
    for before, after in zip(speech, speech[1:]):
        if after - before <= BRIDGED:
            marks[before:after] = 1
    return marks


def conversation(dice, said):
    """All clips with pauses between them, and what is so when."""
    sound, marks = [], []
    for clip in said:
        pause = int(dice.uniform(*PAUSE_SECONDS) * 100)
        clip = clip[: len(clip) // LABEL * LABEL]
        sound += [numpy.zeros(pause * LABEL), clip]
        marks += [numpy.zeros(pause), labels(clip)]
    return numpy.concatenate(sound), numpy.concatenate(marks)


def noise(generator, length):
    """White and pink by turns of five seconds, of mean square 1."""
    white = generator.standard_normal(length)
    spectrum = numpy.fft.rfft(generator.standard_normal(length))
    spectrum /= numpy.sqrt(numpy.maximum(numpy.fft.rfftfreq(length, 1 / RATE), 50))
    pink = numpy.fft.irfft(spectrum, length)
    pink /= pink.std()
    return numpy.where(numpy.arange(length) // (5 * RATE) % 2 == 0, white, pink)


def tones(dice):
    """Signals of networks, keys and machines: (hertz, seconds on, seconds off), each for eight seconds."""
    signals = [
        ((440, 480), 2, 4), ((400, 450), 0.4, 0.2), ((425,), 1, 4), ((480, 620), 0.5, 0.5), ((425,), 0.48, 0.48),
        ((480, 620), 0.25, 0.25), ((350, 440), 8, 0), ((425,), 8, 0), ((950,), 0.33, 0.05), ((1400,), 0.33, 0.05),
        ((1800,), 0.33, 1), ((1100,), 0.5, 3), ((2100,), 3, 1), ((1000,), 0.4, 2), ((770, 1336), 0.1, 0.1),
        ((941, 1477), 0.08, 0.08),
    ]
    sound = []
    for hertz, on, off in signals:
        at = numpy.arange(8 * RATE) / RATE
        wave_of = sum(numpy.sin(2 * numpy.pi * (f * at + dice.random())) for f in hertz)
        sound.append(numpy.where(at % (on + off) < on, wave_of, 0))
    return at_level(numpy.concatenate(sound), LEVEL)


def ours(offhook, path):
    """Raw probability of speech, every 10 ms."""
    done = subprocess.run([offhook, "listen", "--frames", path], capture_output=True, text=True)
    if done.returncode:
        environment.missing(f"offhook listen: {done.stderr.strip()}")
    heard = [json.loads(line) for line in done.stdout.splitlines()]
    return numpy.repeat([line["p"] for line in heard if line["event"] == "speech_probability"], 2)


class Silero:
    """As the package's own wrapper calls the network, one frame after the other."""

    def __init__(self):
        import onnxruntime

        folder = pathlib.Path(importlib.util.find_spec("silero_vad").origin).parent
        options = onnxruntime.SessionOptions()
        options.inter_op_num_threads = options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(folder / "data" / "silero_vad.onnx"), options, providers=["CPUExecutionProvider"]
        )

    def hear(self, sound, rate):
        size, context = rate * 32 // 1000, rate * 4 // 1000
        state, before = numpy.zeros((2, 1, 128), numpy.float32), numpy.zeros((1, context), numpy.float32)
        samples = numpy.pad(sound.astype(numpy.float32) / 32768, (0, -len(sound) % size))
        probabilities = []
        for frame in samples.reshape(-1, 1, size):
            heard = numpy.concatenate([before, frame], axis=1)
            output, state = self.session.run(None, {"input": heard, "state": state, "sr": numpy.array(rate, numpy.int64)})
            probabilities.append(float(output[0, 0]))
            before = heard[:, -context:]
        # The middle of each 10 ms lies in one frame of 32.
        count = len(sound) * 100 // rate
        return numpy.array(probabilities)[((numpy.arange(count) * 10 + 5) // 32)]


def upsampled(sound):
    spectrum = numpy.fft.rfft(sound)
    return numpy.fft.irfft(numpy.pad(spectrum, (0, len(sound) - len(spectrum) + 1)), 2 * len(sound)) * 2


def webrtc(sound):
    """How many of its four modes hear speech."""
    import webrtcvad

    votes = numpy.zeros(len(sound) // 160)
    for mode in range(4):
        vad = webrtcvad.Vad(mode)
        votes += [vad.is_speech(sound[n * 160 : (n + 1) * 160].tobytes(), RATE) for n in range(len(votes))]
    return numpy.repeat(votes / 4, 2)


def area(scores, marks):
    """Under the curve: how often speech scores higher than silence; equal scores are half."""
    count = min(len(scores), len(marks))
    scores, marks = scores[:count], marks[:count]
    values, places = numpy.unique(scores, return_inverse=True)
    speech, silence = (numpy.bincount(places[marks == kind], minlength=len(values)) for kind in (1, 0))
    below = numpy.cumsum(silence) - silence
    return (speech * (below + silence / 2)).sum() / (speech.sum() * silence.sum())


def onsets(scores, marks):
    """Milliseconds from each onset after 200 ms of silence to the end of the first frame that tells."""
    delays = []
    for at in numpy.flatnonzero((marks[1:] == 1) & (marks[:-1] != 1)) + 1:
        if (marks[max(at - 20, 0) : at] != 1).all():
            told = numpy.flatnonzero(scores[at : at + 100] >= 0.5)
            # Ours tells at the end of 20 ms.
            delays.append(((at + told[0]) // 2 * 2 + 2 - at) * 10 if len(told) else 1000)
    return float(numpy.median(delays))


def main():
    offhook, target, seed, *paths = sys.argv[1:]
    environment.enter(target, "vad", ["onnxruntime", "numpy<3", "webrtcvad-wheels"], ["silero-vad==6.2.0"])
    global numpy
    import numpy

    dice, generator = random.Random(int(seed)), numpy.random.default_rng(int(seed))
    music = [path for path in paths if pathlib.Path(path).parent.name == "moh"]
    silero, missed = Silero(), []

    def verdict(what, figure, unit, bound, held):
        missed.extend([] if held else [what])
        print(f"{what:<34}{figure:>10.1f} {unit}   (bound {bound}) {'held' if held else 'MISSED'}", flush=True)

    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "line.wav"
        said = clips(offhook, folder, dice, sorted(set(paths) - set(music)))
        sound, marks = conversation(dice, said)
        hiss = at_level(noise(generator, len(sound)), LEVEL)
        lines = {"clean": sound}
        lines |= {f"noise {below} dB below": sound + hiss / 10 ** (below / 20) for below in (20, 10, 5)}
        lines["26 dB quieter"] = sound / 10 ** (QUIETER / 20)
        print(f"voice activity: {len(said)} clips, {len(sound) / RATE / 60:.1f} minutes, {(marks == 1).mean():.0%} speech; seed {seed}")
        print(f"{'area under the curve':<22}{'ours':>10}{'Silero 8k':>12}{'Silero 16k':>12}{'WebRTC':>10}")
        for what, line in lines.items():
            line = telephone(line)
            write(path, line)
            before = time.process_time()
            at_8k = silero.hear(line, 8000)
            silero_seconds = time.process_time() - before
            scores = [ours(offhook, path), at_8k, silero.hear(upsampled(line), 16000), webrtc(line)]
            areas = [area(score, marks) for score in scores]
            held = areas[0] >= max(areas[1], areas[2])
            missed.extend([] if held else [what])
            print(f"{what:<22}{areas[0]:>10.3f}{areas[1]:>12.3f}{areas[2]:>12.3f}{areas[3]:>10.3f}   {'held' if held else 'MISSED'}", flush=True)
            if what == "clean":
                delay = onsets(scores[0], marks)
                before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
                subprocess.run([offhook, "listen", path], stdout=subprocess.DEVNULL, check=True)
                our_seconds = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before
                cost = our_seconds / silero_seconds
        verdict("onset, median", delay, "ms", f"{ONSET_MS} ms", delay <= ONSET_MS)
        for what, line in [("tones", tones(dice)), ("music", numpy.concatenate([at_level(read(song)[: 60 * RATE], LEVEL) for song in music]))]:
            line = telephone(line)
            write(path, line)
            share = (ours(offhook, path) >= 0.5).mean()
            others = (silero.hear(line, 8000) >= 0.5).mean(), (webrtc(line) >= 0.5).mean()
            verdict(f"{what} taken for speech", share * 100, f"%, Silero {others[0]:.1%}, WebRTC {others[1]:.1%}", "0.5 %", share <= FALSE_SHARE)
        verdict("CPU of all detectors", cost * 100, "% of Silero's", "25 %", cost <= SILERO_SHARE)
    rows = len(lines) + 4
    print(f"vad: {rows - len(missed)} of {rows} bounds held" + (f"; MISSED: {', '.join(missed)}" if missed else ""))
    sys.exit(1 if missed else 0)


main()
