"""Tones, G.711 and meters, in plain Python: the ears of the suite, sharing no code with offhook."""

import array
import math
import struct
import wave

RATE = 8000
FRAME = 160  # samples in 20 ms
# ITU-T G.711: 0 dBm0 is 3.17 dB below the overload point of µ-law.
DBM0_OVERLOAD = 3.17
FULL_SCALE = 32124 / math.sqrt(2)


def tone(frequency, seconds, amplitude=9000, rate=RATE):
    """A sine as a list of 16-bit samples."""
    step = 2 * math.pi * frequency / rate
    return [int(amplitude * math.sin(step * index)) for index in range(int(seconds * rate))]


def silence(seconds):
    return [0] * int(seconds * RATE)


def ulaw_encode(samples):
    """µ-law bytes of 16-bit samples (ITU-T G.711)."""
    coded = bytearray(len(samples))
    for index, sample in enumerate(samples):
        sign = 0x80 if sample < 0 else 0
        magnitude = min(abs(sample), 32635) + 132
        exponent = magnitude.bit_length() - 8
        mantissa = (magnitude >> (exponent + 3)) & 0x0F
        coded[index] = ~(sign | exponent << 4 | mantissa) & 0xFF
    return bytes(coded)


def alaw_encode(samples):
    """A-law bytes of 16-bit samples (ITU-T G.711)."""
    coded = bytearray(len(samples))
    for index, sample in enumerate(samples):
        sign, magnitude = (0x80, min(sample, 32767)) if sample >= 0 else (0, min(~sample, 32767))
        exponent = max(magnitude.bit_length() - 8, 0)
        mantissa = (magnitude >> (exponent + 3 if exponent else 4)) & 0x0F
        coded[index] = (sign | exponent << 4 | mantissa) ^ 0x55
    return bytes(coded)


def encode(payload_type, samples):
    """A G.711 payload of samples; type 0 is PCMU, 8 is PCMA."""
    return {0: ulaw_encode, 8: alaw_encode}[payload_type](samples)


def _ulaw_sample(byte):
    byte = ~byte & 0xFF
    magnitude = ((((byte & 0x0F) << 3) + 132) << (byte >> 4 & 7)) - 132
    return -magnitude if byte & 0x80 else magnitude


def _alaw_sample(byte):
    byte ^= 0x55
    exponent, mantissa = byte >> 4 & 7, byte & 0x0F
    magnitude = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 264) << (exponent - 1)
    return magnitude if byte & 0x80 else -magnitude


ULAW = [_ulaw_sample(byte) for byte in range(256)]
ALAW = [_alaw_sample(byte) for byte in range(256)]


def decode(payload_type, payload):
    """Samples of a G.711 payload; type 0 is PCMU, 8 is PCMA."""
    table = {0: ULAW, 8: ALAW}[payload_type]
    return [table[byte] for byte in payload]


def rms(samples):
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) if samples else 0.0


def dbm0(samples):
    """Level of a signal; a full-scale sine is +3.17 dBm0."""
    level = rms(samples)
    return 20 * math.log10(level / FULL_SCALE) + DBM0_OVERLOAD if level else -math.inf


def share(samples, frequency, rate=RATE):
    """Share of the energy that lies at one frequency (Goertzel): 1.0 for a pure tone, ~0 for others."""
    energy = sum(sample * sample for sample in samples)
    if not energy:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * frequency / rate)
    before, last = 0.0, 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    power = before * before + last * last - coefficient * before * last
    return 2 * power / (len(samples) * energy)


def tone_seconds(samples, frequency, rate=RATE, threshold=0.7, floor=200):
    """For how long a tone is heard, judged in windows of 100 ms that are louder than `floor`."""
    window = rate // 10
    heard = 0
    for start in range(0, len(samples) - window + 1, window):
        part = samples[start : start + window]
        if rms(part) > floor and share(part, frequency, rate) > threshold:
            heard += 1
    return heard / 10


def tone_stretch(samples, frequency, rate=RATE):
    """`(from, until)`: the seconds in which a tone is first and last heard, in windows of 20 ms; `None` if it never is."""
    window = rate // 50
    heard = [start for start in range(0, len(samples) - window + 1, window)
             if rms(samples[start : start + window]) > 200 and share(samples[start : start + window], frequency, rate) > 0.7]
    return (heard[0] / rate, (heard[-1] + window) / rate) if heard else None


def loud_seconds(samples, rate=RATE, floor=300):
    """For how long there is anything at all, judged in windows of 100 ms."""
    window = rate // 10
    starts = range(0, len(samples) - window + 1, window)
    return sum(rms(samples[start : start + window]) > floor for start in starts) / 10


DTMF_ROWS = (697, 770, 852, 941)
DTMF_COLUMNS = (1209, 1336, 1477, 1633)
DTMF_KEYS = ("123A", "456B", "789C", "*0#D")


def dtmf_tone(key, seconds=0.1, amplitude=6000):
    """Both tones of one key (ITU-T Q.23)."""
    row = next(index for index, keys in enumerate(DTMF_KEYS) if key in keys)
    column = DTMF_KEYS[row].index(key)
    pair = tone(DTMF_ROWS[row], seconds, amplitude), tone(DTMF_COLUMNS[column], seconds, amplitude)
    return [low + high for low, high in zip(*pair)]


def dtmf_keys(samples):
    """The keys heard in a signal, in windows of 20 ms; a key counts from two windows on."""
    keys, run, previous = "", 0, None
    for start in range(0, len(samples) - FRAME + 1, FRAME):
        part = samples[start : start + FRAME]
        key = None
        if rms(part) > 300:
            low = max(DTMF_ROWS, key=lambda frequency: share(part, frequency))
            high = max(DTMF_COLUMNS, key=lambda frequency: share(part, frequency))
            if min(share(part, low), share(part, high)) > 0.2 and share(part, low) + share(part, high) > 0.75:
                key = DTMF_KEYS[DTMF_ROWS.index(low)][DTMF_COLUMNS.index(high)]
        run = run + 1 if key == previous else 1
        if key is not None and run == 2:
            keys += key
        previous = key
    return keys


def write_wav(path, samples, rate=RATE):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack(f"<{len(samples)}h", *samples))


def read_wav(path):
    """`(rate, [channel, …])` of a 16-bit WAV. Trusts the file's length more than its header: a
    recorder that was killed leaves the header unfinished."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path} is not a WAV file")
    at, channels, rate = 12, 1, RATE
    while at + 8 <= len(data):
        name, size = data[at : at + 4], struct.unpack_from("<I", data, at + 4)[0]
        at += 8
        if name == b"fmt ":
            _, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", data, at)
            if bits != 16:
                raise ValueError(f"{path} has {bits} bits a sample, not 16")
        elif name == b"data":
            body = data[at : at + size] if 0 < size <= len(data) - at else data[at:]
            samples = array.array("h", body[: len(body) // (2 * channels) * 2 * channels])
            return rate, [list(samples[channel::channels]) for channel in range(channels)]
        at += size + size % 2
    raise ValueError(f"{path} has no audio")
