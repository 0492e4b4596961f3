"""Photographs for tests and benches: a grey page on a desk as a phone's camera sees it, flat or bent like a book."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

Gray = npt.NDArray[np.uint8]
"""H x W, 0 is black."""

Points = npt.NDArray[np.float64]
"""Rows of x and y."""

_FOCAL = 0.74
"""Focal length as a share of the picture's long side: the main camera of most phones, 26 mm on 36 mm film."""

_COARSE = 8
"""Pixels of the picture that one computed point of the map stands for; between them it is interpolated."""

_FIXED_POINT_STEPS = 12

_PROFILE = np.linspace(0.0, 1.0, 513)


@dataclass(frozen=True, slots=True)
class View:
    """How the camera looks at a page."""

    pitch: float = 0.0
    """Degrees by which the page's top is farther away."""
    yaw: float = 0.0
    """Degrees by which the page's left side is farther away."""
    roll: float = 0.0
    """Degrees by which the page is turned clockwise in the picture."""
    bend: float = 0.0
    """Height of the page's bulge as a share of its width; 0 is flat. The bulge is nearer to the left, as in a book."""
    filled: float = 0.88
    """Share of the picture's width or height that the page takes. Above 1 its edges are outside."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What the page lies on, and in which light."""

    brightness: float = 45.0
    """Mean level of the desk, 0 to 255, if it is lit fully."""
    darkest: float = 0.6
    """Light in the darkest corner as a share of that in the brightest."""


class Camera:
    """Looks at pages of one size, given in pixels, and takes pictures of ``size`` (width, height)."""

    def __init__(self, page: tuple[int, int], view: View, size: tuple[int, int]) -> None:
        """``page`` is (width, height)."""
        self._page = page
        self._size = size
        self._view = view
        self._focal = _FOCAL * max(size)
        self._rotation = _rotation(view)
        rise = self._view.bend * page[0] * np.sin(np.pi * _PROFILE**0.7)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(_PROFILE) * page[0], np.diff(rise)))])
        # Paper does not stretch: a bent page is as much narrower as its bulge is high.
        self._span = page[0] * page[0] / along[-1]
        self._rise = rise * self._span / page[0]
        self._along = along / along[-1]
        self._place = self._fitting_place()

    def seen(self, points: Points) -> Points:
        """Return where points of the page are in the picture."""
        return self._project(points, self._place)

    def picture(self, page: Gray, desk: Desk, seed: int = 1) -> Gray:
        """Take a picture of a page, with blur, grain and uneven light."""
        random = np.random.default_rng(seed)
        width, height = self._size
        u, v = self._map()
        sheet = cv2.remap(page, u, v, cv2.INTER_AREA, borderMode=cv2.BORDER_CONSTANT, borderValue=255)
        inside = ((u >= 0) & (u < page.shape[1]) & (v >= 0) & (v < page.shape[0])).astype(np.float32)
        shade = cv2.GaussianBlur(inside, (0, 0), 12.0)
        grain = cv2.GaussianBlur(random.normal(0.0, 1.0, (height, width)).astype(np.float32), (0, 0), 2.0, sigmaY=30.0)
        around = desk.brightness * (1.0 + 0.6 * grain) * (1.0 - 0.35 * shade)
        scene = np.where(inside > 0, sheet * (238.0 / 255.0), around)
        x, y = np.linspace(0.0, 1.0, width)[None, :], np.linspace(0.0, 1.0, height)[:, None]
        light = desk.darkest + (1.0 - desk.darkest) / (1.0 + np.exp(-6.0 * (0.8 * x + 0.5 * y - 0.45)))
        blurred = cv2.GaussianBlur(scene * light, (0, 0), 0.8)
        noisy = blurred + random.normal(0.0, 2.5, scene.shape)
        picture: Gray = np.clip(noisy, 0, 255).astype(np.uint8)
        return picture

    def _project(self, points: Points, place: Points) -> Points:
        share = np.interp(points[:, 0] / self._page[0], self._along, _PROFILE)
        x = (share - 0.5) * self._span
        z = -np.interp(share, _PROFILE, self._rise)
        space = np.stack([x, points[:, 1] - self._page[1] / 2, z], axis=1) @ self._rotation.T + place
        return space[:, :2] * (self._focal / space[:, 2:]) + np.array(self._size) / 2

    def _fitting_place(self) -> Points:
        """Return the place of the page's middle, as the camera sees it, at which it takes its share of the picture."""
        side = np.linspace(0.0, 1.0, 33)
        edge = np.concatenate([np.stack([side, np.full(33, at)], 1) for at in (0.0, 1.0)])
        outline = np.concatenate([edge, edge[:, ::-1]]) * np.array(self._page)
        place = np.array([0.0, 0.0, 2.0 * max(self._page)])
        for _ in range(60):
            seen = self._project(outline, place)
            place[:2] += (np.array(self._size) - seen.max(axis=0) - seen.min(axis=0)) / 2 * (place[2] / self._focal)
            taken = float((np.ptp(seen, axis=0) / np.array(self._size)).max())
            place[2] *= 1 + 0.7 * (taken / self._view.filled - 1)
        return place

    def _map(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Return for each pixel of the picture the page's pixel that it shows, x and y."""
        width, height = self._size
        columns, rows = -(-width // _COARSE) + 1, -(-height // _COARSE) + 1
        px, py = np.meshgrid(np.arange(columns) * _COARSE, np.arange(rows) * _COARSE)
        rays = np.stack([(px - width / 2) / self._focal, (py - height / 2) / self._focal, np.ones(px.shape)], axis=-1)
        direction = rays @ self._rotation
        origin = -self._place @ self._rotation
        z = np.zeros(px.shape)
        for _ in range(_FIXED_POINT_STEPS):
            x = origin[0] + (z - origin[2]) / direction[..., 2] * direction[..., 0]
            z = -np.interp(x / self._span + 0.5, _PROFILE, self._rise)
        share = x / self._span + 0.5
        inside = np.interp(share, _PROFILE, self._along)
        u = np.where((share < 0) | (share > 1), share, inside) * self._page[0]
        v = origin[1] + (z - origin[2]) / direction[..., 2] * direction[..., 1] + self._page[1] / 2
        # Edges of the coarse cells are edges of pixels: sample them at the pixels' centres.
        to_coarse = np.array([[1 / _COARSE, 0.0, 0.5 / _COARSE], [0.0, 1 / _COARSE, 0.5 / _COARSE]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        fine = [cv2.warpAffine(each.astype(np.float32), to_coarse, self._size, flags=flags) for each in (u, v)]
        return np.asarray(fine[0] - 0.5, np.float32), np.asarray(fine[1] - 0.5, np.float32)


def _rotation(view: View) -> npt.NDArray[np.float64]:
    pitch, yaw, roll = np.radians([view.pitch, view.yaw, view.roll])
    about_x = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    about_y = np.array([[np.cos(yaw), 0, np.sin(yaw)], [0, 1, 0], [-np.sin(yaw), 0, np.cos(yaw)]])
    about_z = np.array([[np.cos(roll), -np.sin(roll), 0], [np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    product: npt.NDArray[np.float64] = about_z @ about_x @ about_y
    return product
