"""Mutated JPEGs: what broken scanners, bad cables and hostile people send. A seed always gives the same bytes."""

from __future__ import annotations

import functools
import random
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests import odd_jpegs as odd
from tests.rendering import draw, render

TEXT = "The amber harbour\nstands here"
_SIZE = 28

_SOI, _EOI, _SOS, _DQT, _DHT, _DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xDD
_SOF = (0xC0, 0xC1, 0xC2)
_APP = range(0xE0, 0xF0)
_MARKERS = (*range(0xC0, 0xD0), *range(0xD0, 0xE0), *range(0xE0, 0xF0), 0xFE, 0x00, 0x01, 0xFF)
_SIZES = (0, 1, 2, 7, 255, 256, 4095, 16_383, 32_768, 65_500, 65_535)
_MOST_STACKED = 3


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mutated scan."""

    seed: int
    how: str
    """The mutations in order, such as ``header lie + cut``."""
    data: bytes


@functools.cache
def originals() -> tuple[bytes, ...]:
    """Return the whole scans that the mutants come from: the kinds that scanners and cameras save, odd ones too."""
    grey, page = render(TEXT, size=_SIZE), draw(TEXT, size=_SIZE)
    return (
        grey,
        render(TEXT, size=_SIZE, mode="RGB", quality=75),
        render(TEXT, size=_SIZE, progressive=True),
        render(TEXT, size=_SIZE, mode="RGB", progressive=True, dpi=None),
        render(TEXT, size=_SIZE, mode="CMYK"),
        render(TEXT, size=_SIZE, exif_orientation=6),
        odd.with_lines_behind(grey, 0),
        odd.samsung(grey),
        odd.with_padding(page, bytes(3)),
        odd.sampled(page, 0x42, 0x11, 0x11),
        odd.behind_first_segment(odd.before_end(grey, bytes(600)), bytes(16)),
    )


def mutant(seed: int) -> Mutant:
    """Return the mutant of this number."""
    chance = random.Random(seed)
    data = bytearray(chance.choice(originals()))
    names = []
    for _ in range(chance.randint(1, _MOST_STACKED)):
        name, mutate = chance.choice(_MUTATIONS)
        data = mutate(chance, data)
        names.append(name)
    return Mutant(seed, " + ".join(names), bytes(data))


def _segments(data: bytearray) -> Iterator[tuple[int, int, int]]:
    """Yield marker, offset of its 0xFF and length (with both marker bytes) of each segment before the first scan."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        length = 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        yield data[at + 1], at, length
        if data[at + 1] == _SOS:
            return
        at += length


def _segment(chance: random.Random, data: bytearray, *wanted: int) -> tuple[int, int, int] | None:
    found = [segment for segment in _segments(data) if not wanted or segment[0] in wanted]
    return chance.choice(found) if found else None


def piece_of(chance: random.Random, data: bytearray, most: int) -> slice:
    """Return a piece of up to ``most`` bytes."""
    start = chance.randrange(len(data) + 1)
    return slice(start, min(len(data), start + chance.randint(1, most)))


def flip_bits(chance: random.Random, data: bytearray) -> bytearray:
    """Flip some bits anywhere."""
    for _ in range(chance.choice((1, 1, 2, 8, 40)) if data else 0):
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    return data


def _cut(chance: random.Random, data: bytearray) -> bytearray:
    """Lose the end, or a piece, with or without an end-of-image marker put behind it."""
    if chance.random() < 0.3:
        del data[piece_of(chance, data, 4096)]
        return data
    data = data[: chance.randrange(len(data) + 1)]
    return data + bytes((0xFF, _EOI)) if chance.random() < 0.7 else data


def _swap_marker(chance: random.Random, data: bytearray) -> bytearray:
    places = [at for at in range(len(data) - 1) if data[at] == 0xFF and data[at + 1] != 0]
    if places:
        data[chance.choice(places) + 1] = chance.choice(_MARKERS)
    return data


def _lie_in_frame(chance: random.Random, data: bytearray) -> bytearray:
    """Claim another size, precision, number of components, sampling or table."""
    frame = _segment(chance, data, *_SOF)
    if frame is None or frame[1] + 10 > len(data):
        return data
    at = frame[1]
    match chance.randrange(4):
        case 0:
            data[at + 5 : at + 9] = struct.pack(">HH", chance.choice(_SIZES), chance.choice(_SIZES))
        case 1:
            data[at + 4] = chance.choice((0, 1, 8, 9, 12, 16, 255))
        case 2:
            data[at + 9] = chance.choice((0, 1, 2, 3, 4, 5, 10, 255))
        case _:
            inside = range(at + 10, min(at + frame[2], len(data)))
            if inside:
                data[chance.choice(inside)] = chance.choice((0, 0x11, 0x14, 0x41, 0x44, 0xFF))
    return data


def _lie_in_table(chance: random.Random, data: bytearray) -> bytearray:
    """Spoil a quantisation or Huffman table, a restart interval or a scan header."""
    table = _segment(chance, data, _DQT, _DHT, _DRI, _SOS)
    if table is not None:
        inside = range(table[1] + 4, min(table[1] + table[2], len(data)))
        for _ in range(chance.choice((1, 3, 16)) if inside else 0):
            data[chance.choice(inside)] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return data


def _lie_in_metadata(chance: random.Random, data: bytearray) -> bytearray:
    """Spoil what JFIF, EXIF and Adobe segments say: resolution, orientation, offsets, colours."""
    segment = _segment(chance, data, *_APP)
    if segment is not None:
        inside = range(segment[1] + 4, min(segment[1] + segment[2], len(data)))
        for _ in range(chance.choice((1, 4, 30)) if inside else 0):
            data[chance.choice(inside)] = chance.choice((0, 1, 8, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    return data


def _lie_about_length(chance: random.Random, data: bytearray) -> bytearray:
    segment = _segment(chance, data)
    if segment is not None:
        length = chance.choice((0, 1, 2, 3, segment[2] - 3, segment[2] + 100, 0x7FFF, 0xFFFF)) & 0xFFFF
        data[segment[1] + 2 : segment[1] + 4] = length.to_bytes(2, "big")
    return data


def _splice(chance: random.Random, data: bytearray) -> bytearray:
    other = bytearray(chance.choice(originals()))
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other)) :]


def hole(chance: random.Random, data: bytearray) -> bytearray:
    """Lose a block of a disk: all zeros, all ones or somebody else's bytes in its place."""
    hole = piece_of(chance, data, chance.choice((16, 512, 4096)))
    size = hole.stop - hole.start
    data[hole] = chance.choice((bytes(size), b"\xff" * size, chance.randbytes(size)))
    return data


def _repeat(chance: random.Random, data: bytearray) -> bytearray:
    """Repeat a header segment, up to thousands of times, or a piece of anything."""
    segment = _segment(chance, data)
    if segment is None or chance.random() < 0.3:
        piece, at = data[piece_of(chance, data, 2048)], chance.randrange(len(data) + 1)
    else:
        at = segment[1]
        piece = data[at : at + segment[2]]
    return data[:at] + piece * chance.choice((1, 2, 50, 2000)) + data[at:]


def _wrap(chance: random.Random, data: bytearray) -> bytearray:
    """Put rubbish before, behind or within the image, or a second image behind it."""
    rubbish = chance.randbytes(chance.choice((1, 100, 5000)))
    match chance.randrange(4):
        case 0:
            return bytearray(rubbish) + data
        case 1:
            return data + rubbish
        case 2:
            return data + bytearray(chance.choice(originals()))
        case _:
            at = chance.randrange(len(data) + 1)
            return data[:at] + rubbish + data[at:]


_MUTATIONS: tuple[tuple[str, Callable[[random.Random, bytearray], bytearray]], ...] = (
    ("bit flips", flip_bits),
    ("cut", _cut),
    ("marker swap", _swap_marker),
    ("frame lie", _lie_in_frame),
    ("table lie", _lie_in_table),
    ("metadata lie", _lie_in_metadata),
    ("length lie", _lie_about_length),
    ("splice", _splice),
    ("hole", hole),
    ("repeat", _repeat),
    ("wrap", _wrap),
)
