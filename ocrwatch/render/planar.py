"""Affine maps of the plane as six numbers, in the order of PDF: (x, y) becomes (a x + c y + e, b x + d y + f)."""

from __future__ import annotations

from typing import Final, NamedTuple

Point = tuple[float, float]


class Matrix(NamedTuple):
    """An affine map (ISO 32000-1, 8.3.3)."""

    a: float
    b: float
    c: float
    d: float
    e: float
    f: float

    def after(self, first: Matrix) -> Matrix:
        """Return the map that applies ``first``, then this one."""
        x, y = self.of(first.e, first.f)
        return Matrix(
            self.a * first.a + self.c * first.b,
            self.b * first.a + self.d * first.b,
            self.a * first.c + self.c * first.d,
            self.b * first.c + self.d * first.d,
            x,
            y,
        )

    def of(self, x: float, y: float) -> Point:
        """Map a point."""
        return self.a * x + self.c * y + self.e, self.b * x + self.d * y + self.f


UNCHANGED: Final = Matrix(1, 0, 0, 1, 0, 0)


def upright(orientation: int, width: int, height: int) -> Matrix:
    """Return the map from stored pixels, ``width`` x ``height``, to upright ones by the EXIF orientation, 1 to 8.

    CIPA DC-008, tag 274. Pixels have the origin in the upper left corner.
    """
    across = orientation in {5, 6, 7, 8}
    a, b, c, d = (0, 1, 1, 0) if across else (1, 0, 0, 1)
    turned_width, turned_height = (height, width) if across else (width, height)
    matrix = Matrix(a, b, c, d, 0, 0)
    if orientation in {2, 3, 6, 7}:
        matrix = Matrix(-1, 0, 0, 1, turned_width, 0).after(matrix)
    if orientation in {3, 4, 7, 8}:
        matrix = Matrix(1, 0, 0, -1, 0, turned_height).after(matrix)
    return matrix
