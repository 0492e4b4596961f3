"""What is done to a page before it is read, in order; each step only where a measurement of the page asks for it.

A step is a pure function from pixels to pixels that also says how its pixels map back to those it was given. The maps
are composed, so that however many steps a page goes through, its words' boxes take one affine map to the original.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ocrwatch.recognise.affine import Affine, compose, scaling
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance.scale import BEST_TEXT_HEIGHT, resize, scale_factor, text_height
from ocrwatch.values import EnhanceOptions


@dataclass(frozen=True, slots=True)
class Enhanced:
    """A page as the engine is to see it."""

    gray: Gray
    to_given: Affine
    """Maps ``gray`` to the pixels that the enhancement was given."""
    steps: tuple[str, ...]
    """What was done, in order."""


Step = Callable[[Gray, EnhanceOptions], "Enhanced | None"]
"""What one step made of the page; None where it had nothing to do or is switched off."""


def enhance(gray: Gray, options: EnhanceOptions) -> Enhanced:
    """Apply the steps that are switched on and that the page asks for. ``gray`` is not changed."""
    page = Enhanced(gray, scaling(1.0, 1.0), ())
    for step in STEPS if options.on else ():
        done = step(page.gray, options)
        if done is not None:
            page = Enhanced(done.gray, compose(page.to_given, done.to_given), page.steps + done.steps)
    return page


def scale_text(gray: Gray, options: EnhanceOptions) -> Enhanced | None:
    """Bring capitals to ``options.text_height`` pixels, or to the height that measured best."""
    if not options.scale:
        return None
    factor = scale_factor(text_height(gray), options.text_height or BEST_TEXT_HEIGHT)
    if factor == 1.0:
        return None
    scaled = resize(gray, factor)
    # Sides are rounded to whole pixels, so that the map is not quite the factor.
    back = scaling(gray.shape[1] / scaled.shape[1], gray.shape[0] / scaled.shape[0])
    return Enhanced(scaled, back, (f"scale {factor:.2f}",))


STEPS: tuple[Step, ...] = (scale_text,)
"""In the order in which they are applied: what a step measures must not be spoilt by one that comes later."""
