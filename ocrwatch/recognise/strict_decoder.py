"""Strict decoding: any message of libjpeg-turbo is an error.

So no pixel is ever invented. As a program, ``python -m ocrwatch.recognise.strict_decoder REDUCTION`` decodes for a
process that shares its standard error: it reads a JPEG with unusual chroma subsampling from standard input, and writes
the pixels (NPY) or the error to standard output.
"""

from __future__ import annotations

import functools
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg

from ocrwatch.errors import Unsupported
from ocrwatch.recognise.shared_process import is_embedded

Gray = npt.NDArray[np.uint8]
"""H x W array of brightness, 0 is black."""

_SURPLUS = re.compile(r"(\d+) extraneous bytes before marker 0x([0-9a-f]{2})")
_PREMATURE = ("premature end", "found marker 0xd9 instead of RST")
_UNKNOWN_SAMPLING = "subsampling"
_STDERR = 2
_MOST_HEARD = 100_000
"""Bytes of messages; those on each line of a fax are counted."""

_CHILD_SECONDS = 120
_CHILD_FAILED = 10


class DecoderError(Exception):
    """A message of libjpeg-turbo."""

    @property
    def is_premature_end(self) -> bool:
        """Whether the data ended before the last row."""
        return any(each in str(self) for each in _PREMATURE)

    @property
    def surplus(self) -> tuple[int, int] | None:
        """Number of surplus bytes and the marker after them; None for other complaints."""
        found = _SURPLUS.search(str(self))
        return (int(found[1]), int(found[2], 16)) if found else None


def decode_strictly(jpeg: bytes, width: int, height: int, reduction: int = 1) -> Gray:
    """Decode an image of ``width`` x ``height`` pixels to grey.

    Decodes at 1 / ``reduction`` (1 or 2) of its size. Raises :class:`DecoderError` if anything about it is unusual.
    """
    try:
        decoded: Gray = simplejpeg.decode_jpeg(  # type: ignore[attr-defined]
            jpeg, "GRAY", min_width=-(-width // reduction), min_height=-(-height // reduction)
        )
    except KeyError:
        # simplejpeg does not name all chroma subsamplings that TurboJPEG supports.
        return _by_opencv(jpeg, reduction)
    except ValueError as error:
        if _UNKNOWN_SAMPLING not in str(error):
            raise DecoderError(str(error)) from None
        # TurboJPEG decodes seven subsamplings (4:4:4 to 4:4:1); libjpeg decodes all that T.81 allows except fractions.
        return _by_opencv(jpeg, reduction)
    return decoded[:, :, 0]


def _by_opencv(jpeg: bytes, reduction: int) -> Gray:
    """Decode with OpenCV's libjpeg-turbo.

    It fills missing data with grey and only writes a message to standard error.
    """
    if is_embedded():
        return _by_child(jpeg, reduction)
    if not _is_heard():
        raise _unsupported()
    decoded, said = _opencv(jpeg)
    if said or decoded is None:
        raise DecoderError(said or "its header is damaged, or its colours are subsampled in an unknown way")
    if reduction == 1:
        return decoded
    height, width = decoded.shape
    even = cv2.copyMakeBorder(decoded, 0, height % reduction, 0, width % reduction, cv2.BORDER_REPLICATE)
    smaller = cv2.resize(even, None, fx=1 / reduction, fy=1 / reduction, interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.uint8)


def _by_child(jpeg: bytes, reduction: int) -> Gray:
    """Decode with OpenCV in a child process that may redirect its standard error."""
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-m", "ocrwatch.recognise.strict_decoder", str(reduction)],
            input=jpeg, capture_output=True, timeout=_CHILD_SECONDS, check=False,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _unsupported() from error
    if child.returncode == _CHILD_FAILED:
        raise DecoderError(child.stdout.decode(errors="replace"))
    if child.returncode:
        raise _unsupported()
    return np.asarray(np.load(io.BytesIO(child.stdout), allow_pickle=False), np.uint8)


def _unsupported() -> Unsupported:
    return Unsupported(
        "the image's colours are subsampled in a way that cannot be decoded",
        "save the image as a baseline JPEG with 8 bits a channel",
    )


def _opencv(jpeg: bytes) -> tuple[Gray | None, str]:
    """Decode with OpenCV; return pixels, if any, and libjpeg's messages."""
    with listening() as said:
        try:
            decoded = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE | cv2.IMREAD_IGNORE_ORIENTATION)
        except cv2.error as error:
            if "Insufficient memory" in str(error):
                raise MemoryError from None
            return None, str(error)
    return (None if decoded is None else np.asarray(decoded, np.uint8)), said[0] if said else ""


@contextmanager
def listening() -> Iterator[list[str]]:
    """Capture what native code writes to standard error.

    Only for a process in which no other thread writes to it.
    """
    said: list[str] = []
    before, heard = os.dup(_STDERR), os.memfd_create("stderr")
    try:
        os.dup2(heard, _STDERR)
        try:
            yield said
        finally:
            os.dup2(before, _STDERR)
            text = os.pread(heard, _MOST_HEARD, 0).decode(errors="replace").strip()
            said += [text] if text else []
    finally:
        os.close(heard)
        os.close(before)


@functools.cache
def _is_heard() -> bool:
    """Return whether this OpenCV reports a truncated image, tested with half an image."""
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    whole = cv2.imencode(".jpg", noise)[1].tobytes()
    return not _opencv(whole)[1] and bool(_opencv(whole[: len(whole) // 2] + b"\xff\xd9")[1])


def _main() -> None:
    """Run the child of :func:`_by_child`."""
    try:
        decoded = _by_opencv(sys.stdin.buffer.read(), int(sys.argv[1]))
    except DecoderError as error:
        sys.stdout.write(str(error))
        sys.exit(_CHILD_FAILED)
    # Do not write to the pipe directly: numpy queries its position, which fails on Debian 13.
    packed = io.BytesIO()
    np.save(packed, decoded, allow_pickle=False)
    sys.stdout.buffer.write(packed.getbuffer())


if __name__ == "__main__":
    _main()
