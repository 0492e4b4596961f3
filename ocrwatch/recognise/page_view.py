"""The page to read, before enhancement: the region of the scan that is wanted, rectified if it was photographed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from ocrwatch.recipe import WHOLE_PAGE, Recipe
from ocrwatch.recognise import perspective
from ocrwatch.recognise.affine import Affine, compose, magnification, scaling
from ocrwatch.recognise.decode import Decoded, Gray
from ocrwatch.recognise.enhance import Enhanced
from ocrwatch.recognise.enhance.fixed_steps import crop_region
from ocrwatch.recognise.enhance.pixels import Pixels
from ocrwatch.recognise.projective import Projective, as_projective

REDUCE_FROM: Final = 5000
"""Long side in pixels from which an image is first decoded at half its size: A4 at 430 dpi."""

PERSPECTIVE: Final = "perspective"
"""Step name in ``Page.steps``: the perspective of a photographed page was rectified."""

_NARROWED: Final = frozenset({"eng", "deu", "fra", "spa"})
"""Languages whose text may be narrowed: rendered pages of them are read equally well. Greek pages narrowed to 80 % have
character error rates of .031 to .038 instead of .023; other languages were not measured."""


@dataclass(frozen=True, slots=True)
class PageView:
    """The page to read, before enhancement."""

    page: Pixels
    to_original: Affine | Projective
    """Maps the page to the original's upright pixels; projective if the page was rectified."""
    steps: tuple[str, ...]
    """Names of the steps that were applied, in order."""
    unrectified: PageView | None = None
    """The page before it was rectified; None if it was not."""


def view_of(decoded: Decoded, recipe: Recipe) -> PageView:
    """Crop the region to read, and rectify it if it was photographed at an angle."""
    given, to_decoded = _region(decoded, recipe)
    to_original = compose(scaling(decoded.reduction, decoded.reduction), to_decoded)
    view = PageView(Pixels(given), to_original, _steps(decoded, recipe))
    options = recipe.enhance
    straight = perspective.rectify(view.page) if options.enabled and options.perspective else None
    if straight is None:
        return view
    to_original = as_projective(to_original) @ straight.to_input
    return PageView(Pixels(straight.gray), to_original, (*view.steps, PERSPECTIVE), view)


def for_languages(recipe: Recipe) -> Recipe:
    """Return the recipe without narrowing, unless text of all its languages may be narrowed."""
    if _NARROWED.issuperset(recipe.languages):
        return recipe
    return replace(recipe, enhance=replace(recipe.enhance, narrow=False))


def needs_full_size(decoded: Decoded, enhanced: Enhanced) -> bool:
    """Return whether a page that was decoded at half its size must be decoded again, at full resolution.

    Its text is small or was not found.
    """
    return decoded.reduction > 1 and magnification(enhanced.to_input) >= 1


def _region(decoded: Decoded, recipe: Recipe) -> tuple[Gray, Affine]:
    if recipe.region == WHOLE_PAGE:
        return decoded.gray, scaling(1.0, 1.0)
    return crop_region(decoded.gray, recipe.region)


def dpi_of(decoded: Decoded, recipe: Recipe) -> float | None:
    """Return the resolution of the decoded pixels in dpi; None if it is unknown."""
    original = recipe.dpi or decoded.dpi
    return original / decoded.reduction if original else None


def _steps(decoded: Decoded, recipe: Recipe) -> tuple[str, ...]:
    reduced = (f"reduce {1 / decoded.reduction:.2f}",) if decoded.reduction > 1 else ()
    return reduced if recipe.region == WHOLE_PAGE else (*reduced, "region")
