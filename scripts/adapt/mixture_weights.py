#!/usr/bin/env python3
"""Turns a model's `sendump` into the `mixture_weights` that SphinxTrain reads.

    mixture_weights.py SENDUMP MIXTURE_WEIGHTS

A sendump holds, for each feature stream and each of its densities, a byte for each senone: the
weight is 1.0001 to the power of minus that byte shifted left by ten.
"""

import array
import struct
import sys

SHIFT = 10
WEIGHTS = [1.0001 ** -(byte << SHIFT) for byte in range(256)]


def read_sendump(data):
    """(streams, densities, senones, bytes)."""
    at, streams = 0, 1
    while True:
        (length,) = struct.unpack_from("<i", data, at)
        at += 4
        if length == 0:
            break
        words = data[at : at + length - 1].decode().split()
        if words[0] == "feature_count":
            streams = int(words[1])
        at += length
    densities, senones = struct.unpack_from("<ii", data, at)
    return streams, densities, senones, data[at + 8 :]


def main():
    with open(sys.argv[1], "rb") as file:
        streams, densities, senones, coded = read_sendump(file.read())
    weights = array.array("f")
    for senone in range(senones):
        for stream in range(streams):
            first = stream * densities * senones + senone
            row = [WEIGHTS[byte] for byte in coded[first : first + densities * senones : senones]]
            total = sum(row)
            weights.extend(weight / total for weight in row)
    body = struct.pack("<4I", senones, streams, densities, len(weights)) + weights.tobytes()
    checksum = 0
    for (word,) in struct.iter_unpack("<I", body):
        checksum = (((checksum << 20) | (checksum >> 12)) + word) & 0xFFFFFFFF
    with open(sys.argv[2], "wb") as file:
        file.write(b"s3\nversion 1.0\nchksum0 yes\nendhdr\n" + struct.pack("<I", 0x11223344))
        file.write(body + struct.pack("<I", checksum))


if __name__ == "__main__":
    main()
