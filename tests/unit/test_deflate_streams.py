"""A zlib stream is sound if it ends: its checksum alone says nothing of the data that are missing."""

from __future__ import annotations

import random
import zlib

import pytest

from ocrwatch.deflate_streams import Inflated, inflate

CONTENT = random.Random(1).randbytes(200_000) + bytes(5_000_000)
STREAM = zlib.compress(CONTENT)
MOST = 10_000_000


def test_a_sound_stream() -> None:
    """Bytes behind it do not matter."""
    sound = Inflated(len(CONTENT), is_ended=True)
    assert inflate(STREAM, MOST) == sound
    assert inflate(STREAM + b"\r\n", MOST) == sound


@pytest.mark.parametrize(("checksum", "is_wrong"), [(b"", False), (b"ab", False), (bytes(4), False), (b"abcd", True)])
def test_a_checksum_is_missing_or_wrong(checksum: bytes, *, is_wrong: bool) -> None:
    """A part of one, or zero, counts as none."""
    found = inflate(STREAM[:-4] + checksum, MOST)
    assert found == Inflated(len(CONTENT), is_ended=True, has_wrong_checksum=is_wrong)


@pytest.mark.parametrize("stream", [b"", b"x", b"ab" * 50, STREAM[:-6], STREAM[:100_000], STREAM[:9] + bytes(99)])
def test_a_stream_without_its_end(stream: bytes) -> None:
    """No bytes, no header, an early end, and wrong data."""
    found = inflate(stream, MOST)
    assert not found.is_ended
    assert found.size <= len(CONTENT)


def test_a_stream_that_is_too_long_is_not_inflated_to_its_end() -> None:
    """A few bytes more may come, which is the size of a piece."""
    found = inflate(STREAM, 1_000_000)
    assert not found.is_ended
    assert found.size <= 1_000_000 + (1 << 20)
