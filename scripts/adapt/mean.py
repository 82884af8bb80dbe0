#!/usr/bin/env python3
"""Prints the mean of cepstra: mean.py FILE.mfc..."""

import struct
import sys

COEFFICIENTS = 13


def main():
    total, frames = [0.0] * COEFFICIENTS, 0
    for path in sys.argv[1:]:
        with open(path, "rb") as file:
            data = file.read()[4:]
        for frame in struct.iter_unpack(f"<{COEFFICIENTS}f", data):
            total = [sum(pair) for pair in zip(total, frame)]
            frames += 1
    print(",".join(f"{value / frames:.2f}" for value in total))


if __name__ == "__main__":
    main()
