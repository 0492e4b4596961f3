"""Mutated PNGs and TIFFs. A seed always gives the same bytes.

Checksums of a PNG are made right again in most mutants: otherwise none would get past them.
"""

from __future__ import annotations

import functools
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from typing import Final

from ocrwatch import png_chunks
from tests.fuzz.corpus import Mutant, flip_bits, hole, piece_of
from tests.images import PNGS, TIFFS, png_chunk

_Mutation = Callable[[random.Random, bytearray], bytearray]

_MOST_STACKED: Final = 3
_SIZES: Final = (0, 1, 2, 7, 255, 4095, 16_383, 65_535, 1 << 24, (1 << 31) - 1, (1 << 32) - 1)
_BOMB: Final = 200_000_000
"""Bytes that a text chunk claims to hold: of what is decompressed without need."""

_LONG: Final = 100_000

_TAGS: Final = (
    256,
    257,
    258,
    259,
    262,
    266,
    273,
    274,
    277,
    278,
    279,
    284,
    317,
    320,
    322,
    323,
    324,
    325,
    338,
    339,
    347,
    530,
)
"""Size, bits, compression, colours, places, orientation, strips, tiles, predictor, palette and sampling (TIFF 6.0)."""


@functools.cache
def _pngs() -> tuple[bytes, ...]:
    return tuple(make() for make in PNGS.values())


@functools.cache
def _tiffs() -> tuple[bytes, ...]:
    return tuple(make() for make in TIFFS.values())


def png_mutant(seed: int) -> Mutant:
    """Return the mutated PNG of this number."""
    return _mutant(seed, _pngs(), _OF_PNG)


def tiff_mutant(seed: int) -> Mutant:
    """Return the mutated TIFF of this number."""
    return _mutant(seed, _tiffs(), _OF_TIFF)


def _mutant(seed: int, originals: Sequence[bytes], mutations: Sequence[_Mutation]) -> Mutant:
    chance = random.Random(seed)
    data = bytearray(chance.choice(originals))
    names = []
    for _ in range(chance.randint(1, _MOST_STACKED)):
        mutate = chance.choice(mutations)
        data = mutate(chance, data)
        names.append(mutate.__name__.strip("_"))
    return Mutant(seed, " + ".join(names), bytes(data))


def _cut(chance: random.Random, data: bytearray) -> bytearray:
    if chance.random() < 0.5:
        del data[piece_of(chance, data, 4096)]
        return data
    return data[: chance.randrange(len(data) + 1)]


def _splice_png(chance: random.Random, data: bytearray) -> bytearray:
    return _splice(chance, data, _pngs())


def _splice_tiff(chance: random.Random, data: bytearray) -> bytearray:
    return _splice(chance, data, _tiffs())


def _splice(chance: random.Random, data: bytearray, originals: Sequence[bytes]) -> bytearray:
    other = bytearray(chance.choice(originals))
    return data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other)) :]


def _with_chunks(
    chance: random.Random, data: bytearray, change: Callable[[list[tuple[bytes, bytes]]], None]
) -> bytearray:
    """Return a PNG with changed chunks, most of them with a right checksum."""
    png = bytes(data)
    chunks = [(chunk.kind, chunk.of(png)) for chunk in png_chunks.chunks(png)]
    if not chunks:
        return data
    change(chunks)
    made = bytearray(png_chunks.SIGNATURE)
    for kind, content in chunks:
        made += png_chunk(kind, content)
    if chance.random() < 0.1:
        made[-min(20, len(made))] ^= 1
    return made


def _lie_in_header(chance: random.Random, data: bytearray) -> bytearray:
    """Claim another size, depth, kind of colour, compression, filter or interlacing."""

    def change(chunks: list[tuple[bytes, bytes]]) -> None:
        content = bytearray(chunks[0][1].ljust(13, b"\0"))
        if chance.random() < 0.5:
            at = chance.choice((0, 4))
            content[at : at + 4] = struct.pack("!I", chance.choice(_SIZES))
        else:
            content[chance.randrange(8, 13)] = chance.choice((0, 1, 2, 3, 4, 6, 8, 16, 255))
        chunks[0] = (chunks[0][0], bytes(content))

    return _with_chunks(chance, data, change)


def _spoil_chunk(chance: random.Random, data: bytearray) -> bytearray:
    """Change the content of a chunk: of the pixels before or after decompression."""

    def change(chunks: list[tuple[bytes, bytes]]) -> None:
        at = chance.randrange(len(chunks))
        kind, content = chunks[at]
        if kind == png_chunks.DATA and chance.random() < 0.6:
            try:
                pixels = bytearray(zlib.decompress(content))
            except zlib.error:
                return
            chunks[at] = (kind, zlib.compress(hole(chance, flip_bits(chance, pixels))))
        else:
            chunks[at] = (kind, bytes(flip_bits(chance, bytearray(content))))

    return _with_chunks(chance, data, change)


def _shuffle_chunks(chance: random.Random, data: bytearray) -> bytearray:
    """Leave one out, double it up to a thousand times, rename it, or change their order."""

    def change(chunks: list[tuple[bytes, bytes]]) -> None:
        at = chance.randrange(len(chunks))
        match chance.randrange(4):
            case 0:
                del chunks[at]
            case 1:
                times = chance.choice((1, 2, 1000))
                # Larger files than settle.max_bytes get to no worker.
                chunks[at:at] = [chunks[at]] * (times if len(chunks[at][1]) < _LONG else 1)
            case 2:
                chunks[at] = (
                    chance.choice((b"PLTE", b"tRNS", b"IDAT", b"acTL", b"fcTL", b"fdAT", b"IEND")),
                    chunks[at][1],
                )
            case _:
                chance.shuffle(chunks)

    return _with_chunks(chance, data, change)


def _add_bomb(chance: random.Random, data: bytearray) -> bytearray:
    """Put in metadata that take gigabytes if they are decompressed."""

    def change(chunks: list[tuple[bytes, bytes]]) -> None:
        kind, before = chance.choice(((b"zTXt", b"a\0\0"), (b"iCCP", b"a\0\0"), (b"iTXt", b"a\0\1\0\0\0")))
        chunks.insert(1, (kind, before + _bomb()))

    return _with_chunks(chance, data, change)


@functools.cache
def _bomb() -> bytes:
    return zlib.compress(bytes(_BOMB), 1)


def _lie_in_tag(chance: random.Random, data: bytearray) -> bytearray:
    """Change type, count or value of an entry of the first directory."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        return data
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    if directory + 2 > len(data):
        return data
    (count,) = struct.unpack_from(f"{order}H", data, directory)
    places = [directory + 2 + 12 * number for number in range(min(count, 40))]
    places = [at for at in places if at + 12 <= len(data)]
    if not places:
        return data
    at = chance.choice(places)
    match chance.randrange(4):
        case 0:
            struct.pack_into(f"{order}H", data, at, chance.choice(_TAGS))
        case 1:
            struct.pack_into(f"{order}H", data, at + 2, chance.choice((0, 1, 2, 3, 4, 5, 7, 12, 13, 16, 255)))
        case 2:
            struct.pack_into(f"{order}I", data, at + 4, chance.choice(_SIZES))
        case _:
            value = chance.choice((*_SIZES, 1, 2, 3, 4, 5, 8, 16, 32_773, len(data) - 1, chance.randrange(len(data))))
            struct.pack_into(f"{order}I", data, at + 8, value)
    return data


def _lie_about_place(chance: random.Random, data: bytearray) -> bytearray:
    """Change where the first directory is, or the next one: nowhere, at itself, in the pixels."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None or len(data) < 8:
        return data
    (directory,) = struct.unpack_from(f"{order}I", data, 4)
    target = chance.choice((0, 1, 4, 8, directory, chance.randrange(len(data)), len(data), (1 << 32) - 1))
    at = 4
    if chance.random() < 0.6 and directory + 2 <= len(data):
        (count,) = struct.unpack_from(f"{order}H", data, directory)
        at = directory + 2 + 12 * count
    if at + 4 <= len(data):
        struct.pack_into(f"{order}I", data, at, target)
    return data


_OF_PNG: Final = (
    flip_bits, _cut, hole, _splice_png, _lie_in_header, _spoil_chunk, _spoil_chunk, _shuffle_chunks, _add_bomb,
)  # fmt: skip
_OF_TIFF: Final = (flip_bits, _cut, hole, _splice_tiff, _lie_in_tag, _lie_in_tag, _lie_about_place)
