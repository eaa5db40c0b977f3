"""The gallery's pictures: all there, all small, all shown; and packing one changes no colour that counts."""

from __future__ import annotations

import struct
import zlib

import pytest

from tests.support.gallery import FOLDER, LARGEST, PICTURES
from tests.support.png import SIGNATURE, packed


@pytest.mark.parametrize("name", [picture.name for picture in PICTURES])
def test_each_picture_is_small_and_shown(name: str) -> None:
    data = (FOLDER / f"{name}.png").read_bytes()
    assert data.startswith(SIGNATURE)
    assert len(data) <= LARGEST
    assert f"(gallery/{name}.png)" in FOLDER.with_suffix(".md").read_text(encoding="utf-8")


def test_no_picture_is_left_over() -> None:
    assert {path.stem for path in FOLDER.iterdir()} == {picture.name for picture in PICTURES}


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


# Two rows of two pixels, each row with the filter that is named first, and what they stand for.
FILTERED = [
    ([(0, [1, 2, 3, 4, 5, 6]), (0, [7, 8, 9, 1, 1, 1])], [[(1, 2, 3), (4, 5, 6)], [(7, 8, 9), (1, 1, 1)]]),
    ([(1, [1, 2, 3, 3, 3, 3]), (2, [1, 1, 1, 1, 1, 1])], [[(1, 2, 3), (4, 5, 6)], [(2, 3, 4), (5, 6, 7)]]),
    ([(0, [2, 2, 2, 4, 4, 4]), (3, [1, 1, 1, 1, 1, 1])], [[(2,) * 3, (4,) * 3], [(2,) * 3, (4,) * 3]]),
    ([(0, [2, 2, 2, 9, 9, 9]), (4, [1, 1, 1, 1, 1, 1])], [[(2,) * 3, (9,) * 3], [(3,) * 3, (10,) * 3]]),
]


@pytest.mark.parametrize(("rows", "expected"), FILTERED)
def test_packing_keeps_the_colours(
    rows: list[tuple[int, list[int]]], expected: list[list[tuple[int, int, int]]]
) -> None:
    body = b"".join(bytes([kind, *content]) for kind, content in rows)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 2, 2, 8, 2, 0, 0, 0))
    image = packed(SIGNATURE + header + chunk(b"IDAT", zlib.compress(body)) + chunk(b"IEND", b""))
    palette = image.split(b"PLTE")[1].split(b"IDAT")[0][:-8]
    pixels = zlib.decompress(image.split(b"IDAT")[1].split(b"IEND")[0][:-8])
    colours = [[tuple(palette[3 * i : 3 * i + 3]) for i in pixels[at + 1 : at + 3]] for at in (0, 3)]
    assert colours == expected
