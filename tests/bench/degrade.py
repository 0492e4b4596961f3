"""What scanners, cameras, copiers and people do to a page: grey pixels in, the spoilt page out.

Sizes in pixels are for scans at about 300 dots per inch.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from tests.bench.scoring import TRUTH

Gray = npt.NDArray[np.uint8]
"""H x W, 0 is black."""

Random = np.random.Generator

QUALITY = 85
"""JPEG quality with which pages are saved unless that is what spoils them."""

_DESK = 25
"""Brightness of what paper lies on."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to spoil a page."""

    spoil: Callable[[Gray, Random], Gray]
    quality: int = QUALITY


def paper_of(page: Gray) -> int:
    """Brightness of the page's paper: the most frequent one of its brighter half."""
    counts = np.bincount(page.ravel(), minlength=256)
    return 128 + int(counts[128:].argmax())


def turned(page: Gray, degrees: float, fill: int | None = None) -> Gray:
    """Turn anticlockwise, on a sheet large enough; ``fill`` is what comes in at the corners, else paper."""
    height, width = page.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    size = (round(width * cosine + height * sine), round(width * sine + height * cosine))
    matrix[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    corner = paper_of(page) if fill is None else fill
    return _gray(cv2.warpAffine(page, matrix, size, flags=cv2.INTER_LINEAR, borderValue=corner))


def grainy(page: Gray, deviation: float, random: Random) -> Gray:
    """Add Gaussian noise."""
    return _gray(page + random.normal(0.0, deviation, page.shape))


def peppered(page: Gray, share: float, random: Random) -> Gray:
    """Make a share of the pixels black or white."""
    drawn = random.random(page.shape)
    return np.where(drawn < share / 2, np.uint8(0), np.where(drawn < share, np.uint8(255), page))


def shadowed(page: Gray, random: Random) -> Gray:
    """Let a hand's soft shadow fall on the left, with the grain of a camera in little light."""
    height, width = page.shape
    across, down = np.linspace(-1, 1, width)[None, :], np.linspace(-1, 1, height)[:, None]
    light = 0.4 + 0.6 / (1 + np.exp(-7 * (across + 0.4 * down + 0.1)))
    return grainy(_gray(page * light), 4, random)


def between(page: Gray, black: int, white: int) -> Gray:
    """Press the brightness into a range."""
    return _gray(black + page.astype(np.float32) * (white - black) / 255)


def faint(page: Gray, random: Random) -> Gray:
    """Print as a worn ribbon or an old receipt does: thin, pale, and with grain."""
    thinner = cv2.dilate(page, np.ones((2, 1), np.uint8))
    return grainy(between(_gray(thinner), 165, 235), 3, random)


def softened(page: Gray, deviation: float) -> Gray:
    """Blur, as when out of focus; ``deviation`` in pixels."""
    return _gray(cv2.GaussianBlur(page, (0, 0), deviation))


def resized(page: Gray, factor: float) -> Gray:
    """Scale both sides."""
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return _gray(cv2.resize(page, None, fx=factor, fy=factor, interpolation=method))


def on_the_desk(page: Gray) -> Gray:
    """Lie a little crooked on something dark, unevenly framed."""
    crooked = turned(page, -1.5, _DESK)
    return _gray(cv2.copyMakeBorder(crooked, 90, 150, 50, 200, cv2.BORDER_CONSTANT, value=(_DESK,)))


def spotted(page: Gray, random: Random) -> Gray:
    """Let through what is printed on the other side."""
    back = softened(_gray(page[:, ::-1]), 2.5)
    seen = 255 - 0.25 * (255.0 - back)
    return grainy(_gray(np.minimum(page, seen)), 2, random)


KINDS: dict[str, Kind] = {
    "as it is": Kind(lambda page, _: page),
    "skew 3": Kind(lambda page, _: turned(page, 3)),
    "skew -7": Kind(lambda page, _: turned(page, -7)),
    "skew 15": Kind(lambda page, _: turned(page, 15)),
    "on its side": Kind(lambda page, _: _gray(np.rot90(page, -1))),
    "on its other side": Kind(lambda page, _: _gray(np.rot90(page, 1))),
    "upside down": Kind(lambda page, _: _gray(page[::-1, ::-1])),
    "shadow": Kind(shadowed),
    "noise": Kind(lambda page, random: grainy(page, 30, random)),
    "salt and pepper": Kind(lambda page, random: peppered(page, 0.04, random)),
    "blur": Kind(lambda page, _: softened(page, 2.0)),
    "low contrast": Kind(lambda page, _: between(page, 105, 160)),
    "faint": Kind(faint),
    "inverted": Kind(lambda page, _: _gray(255 - page)),
    "dark border": Kind(lambda page, _: on_the_desk(page)),
    "show-through": Kind(spotted),
    "JPEG quality 12": Kind(lambda page, _: page, quality=12),
    "half size": Kind(lambda page, _: resized(page, 0.5)),
    "double size": Kind(lambda page, _: resized(page, 2.0)),
}
"""By the names under which benches report them."""


def degrade(jpeg: bytes, kind: str, name: str) -> bytes:
    """Spoil one scan. The same ``name`` gets the same noise, however many others are made before it."""
    page = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    if page is None:
        raise ValueError(f"{name} is no image")
    random = np.random.default_rng(zlib.crc32(f"{name} {kind}".encode()))
    spoilt = np.ascontiguousarray(KINDS[kind].spoil(_gray(page), random))
    whole, encoded = cv2.imencode(".jpg", spoilt, [cv2.IMWRITE_JPEG_QUALITY, KINDS[kind].quality])
    if not whole:
        raise ValueError(f"{name} cannot be saved as {kind}")
    return bytes(encoded)


def degrade_all(scans: list[Path], folder: Path) -> Iterator[tuple[str, list[Path]]]:
    """Write every kind of ``scans``, with their truths, to a folder of its own; yield its name and its scans."""
    for kind in KINDS:
        home = folder / kind.replace(" ", "-")
        home.mkdir(parents=True)
        made = []
        for scan in scans:
            path = home / f"{scan.stem}.jpg"
            path.write_bytes(degrade(scan.read_bytes(), kind, scan.stem))
            truth = scan.with_name(scan.stem + TRUTH)
            if truth.is_file():
                path.with_name(path.stem + TRUTH).write_bytes(truth.read_bytes())
            made.append(path)
        yield kind, made


def _gray(pixels: npt.ArrayLike) -> Gray:
    clipped: Gray = np.clip(np.asarray(pixels), 0, 255).astype(np.uint8)
    return clipped
