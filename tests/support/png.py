"""Pictures of pages made small: at most 256 colours, the frequent ones as they were."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 6: 4}
PALETTE = 256


def packed(png: bytes) -> bytes:
    """The same picture (eight bits a channel, not interlaced) with a palette and without transparency."""
    chunks = list(_chunks(png))
    width, height, _, kind = struct.unpack(">IIBB", chunks[0][1][:10])
    pixels = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
    rows = [_colours(row, CHANNELS[kind]) for row in _rows(pixels, width, CHANNELS[kind])]
    counts = Counter(colour for row in rows for colour in row)
    palette = [colour for colour, _ in counts.most_common(PALETTE)]
    index = {colour: _nearest(colour, palette) for colour in counts}
    body = b"".join(b"\0" + bytes(index[colour] for colour in row) for row in rows)
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    packed_chunks = (
        (b"IHDR", header),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(body, 9)),
        (b"IEND", b""),
    )
    return SIGNATURE + b"".join(_chunk(*chunk) for chunk in packed_chunks)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(SIGNATURE)
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _rows(pixels: bytes, width: int, channels: int) -> Iterator[bytes]:
    """The rows as they are, from what PNG's filters made of them."""
    length = width * channels
    above = bytes(length)
    for at in range(0, len(pixels), length + 1):
        row = bytearray(pixels[at + 1 : at + 1 + length])
        _unfilter(pixels[at], row, above, channels)
        above = bytes(row)
        yield above


def _unfilter(kind: int, row: bytearray, above: bytes, step: int) -> None:
    for at in range(len(row)):
        left, up, corner = (row[at - step], above[at], above[at - step]) if at >= step else (0, above[at], 0)
        if kind == 1:
            guess = left
        elif kind == 2:
            guess = up
        elif kind == 3:
            guess = (left + up) // 2
        elif kind == 4:
            guess = min((left, up, corner), key=lambda neighbour: abs(left + up - corner - neighbour))
        else:
            return
        row[at] = (row[at] + guess) & 255


def _colours(row: bytes, channels: int) -> list[bytes]:
    return [row[at : at + 3] for at in range(0, len(row), channels)]


def _nearest(colour: bytes, palette: list[bytes]) -> int:
    def distance(number: int) -> int:
        other = palette[number]
        return sum((first - second) ** 2 for first, second in zip(colour, other, strict=True))

    return min(range(len(palette)), key=distance)
