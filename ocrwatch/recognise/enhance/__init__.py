"""What is done to a page before it is read, in order; each step only where a measurement of the page asks for it.

A step is a pure function from pixels to pixels that also says how its pixels map back to those it was given. The maps
are composed, so that however many steps a page goes through, its words' boxes take one affine map to the original.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from ocrwatch.recipe import EnhanceOptions
from ocrwatch.recognise.affine import Affine, compose, quarter_turns, scaling
from ocrwatch.recognise.decode import Gray
from ocrwatch.recognise.enhance import (
    bars,
    border,
    fixed,
    invert,
    light,
    mend,
    noise,
    part,
    rules,
    scale,
    sharpen,
    skew,
)
from ocrwatch.recognise.enhance.pixels import Pixels, ink_of, marks_of

_UNTOUCHED = scaling(1.0, 1.0)

LAY_ON_ITS_SIDE = "turn 90"
"""The step of a page that was turned because its lines ran up or down."""

DUST = "dust"
"""The step of a page that was full of marks too small for letters."""

MEND = "mend"
"""The step of a page whose letters were joined from dots."""

_SMALLEST_MARK = 3
"""Pixels on the survey copy: letters of A4 in 6-point type."""


@dataclass(frozen=True, slots=True)
class Enhanced:
    """A page as the engine is to see it."""

    gray: Gray
    to_given: Affine
    """Maps ``gray`` to the pixels that the enhancement was given."""
    steps: tuple[str, ...]
    """What was done, in order."""
    print: scale.Print | None = None
    """What ``gray`` is printed in; None where it was not measured or there are too few letters to tell."""
    empty: bool = False
    """Whether there is no mark on it that could be read."""


@dataclass(frozen=True, slots=True)
class Done:
    """What one step made of the page."""

    pixels: Pixels
    step: str
    to_given: Affine | None = None
    """None where no pixel moved."""


Step = Callable[[Pixels, EnhanceOptions], "Done | None"]
"""None where the step had nothing to do or is switched off."""


def enhance(
    page: Pixels, options: EnhanceOptions, dpi: float | None = None, *, turns: int = 0, thorough: bool = False
) -> Enhanced:
    """Apply the steps that are switched on and that the page asks for. ``page`` is not changed.

    ``dpi`` is its resolution, if that is known. The page is first turned clockwise by ``turns`` quarters. A
    thorough enhancement measures on all pixels what is otherwise measured on a reduced copy.
    """
    pixels = page.turned(turns) if turns else page
    enhanced = Enhanced(pixels.gray, _UNTOUCHED, ())
    if turns:
        height, width = page.gray.shape
        enhanced = replace(enhanced, to_given=quarter_turns(turns, width, height), steps=(f"turn {90 * turns}",))
    if not options.enabled:
        return enhanced
    fine = pixels.resolved is not pixels
    pixels = pixels.resolved
    for step in STEPS:
        done = step(pixels, options)
        if done is not None:
            pixels = done.pixels.resolved if fine else done.pixels
            enhanced = _after(enhanced, done)
    if any(step.startswith("sharpen") for step in enhanced.steps):
        # What blur has taken from the strokes, narrowing would take once more.
        options = replace(options, narrow=False)
    if options.noise and noise.is_dusty(pixels.marks) and scale.measure_print(pixels) is None:
        pixels = Pixels(noise.without_dust(pixels), contrast=pixels.contrast)
        enhanced = _after(enhanced, Done(pixels, DUST))
    if options.blank and is_empty(pixels):
        return replace(enhanced, empty=True)
    enhanced = fit(enhanced, pixels, options, dpi, thorough=thorough)
    enhanced = leave_out_rules(enhanced, pixels, options)
    if options.blur:
        enhanced = _after(enhanced, Done(Pixels(fixed.blurred(enhanced.gray, options.blur)), f"blur {options.blur:g}"))
    if options.threshold != "none":
        black = fixed.thresholded(enhanced.gray, options.threshold, options.threshold_value)
        enhanced = _after(enhanced, Done(Pixels(black), f"threshold {options.threshold}"))
    return enhanced


def take_out_specks(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Take out single black and white pixels where there are many, and no grain, of which some are the peaks."""
    if not options.noise or noise.speckle(page.gray) < noise.MANY_SPECKS:
        return None
    if noise.noise_level(page.gray) >= noise.NOISY:
        return None
    return Done(Pixels(noise.without_specks(page.gray)), "specks")


def turn_positive(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Make white print on black black on white."""
    if not options.invert or not invert.is_inverted(page):
        return None
    return Done(Pixels(invert.inverted(page.gray)), "invert")


def turn_bars_positive(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Make white print on dark bars black on white."""
    if not options.invert or not (found := bars.bars(page)):
        return None
    return Done(bars.inverted(page, found), f"invert {len(found)} bars")


def sharpen_print(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Sharpen blurred print."""
    if not options.sharpen or (steep := sharpen.steepness(page.gray)) is None or not 0 < steep < sharpen.SOFT:
        return None
    measured = scale.measure_print(page)
    if measured is None or steep * measured.height >= sharpen.BLURRED:
        return None
    return Done(Pixels(sharpen.sharpened(page.gray, steep)), f"sharpen {steep:.2f}")


def smooth_grain(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Smooth what noise there is."""
    if not options.noise or (level := noise.noise_level(page.gray)) < noise.NOISY:
        return None
    return Done(Pixels(noise.smoothed(page.gray, level)), f"noise {level:.0f}")


def clear_border(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Make the dark surroundings of the paper white."""
    if not options.border or (outside := border.surroundings(page)) is None:
        return None
    return Done(border.cleared(page, outside), "border")


def even_light(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Make the paper white and the print black."""
    if not options.light:
        return None
    paper = light.background(page.small)
    depth = light.ink_depth(page, paper)
    if depth is None or (depth >= light.BLACK_ENOUGH and light.is_even(paper)):
        return None
    depth = light.bearable(depth, light.texture(page, paper), paper)
    return Done(light.evened(page, paper, depth), f"light {1 / depth:.1f}")


def stand_up(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Turn a page that lies on its side; whether it then stands on its head only reading it can tell."""
    if not options.turn or not skew.lies_on_its_side(page):
        return None
    height, width = page.gray.shape
    return Done(page.turned(1), LAY_ON_ITS_SIDE, quarter_turns(1, width, height))


def straighten(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Turn crooked lines level."""
    if not options.skew or (angle := skew.skew_angle(page)) == 0.0:
        return None
    straight, back = skew.straightened(page.gray, angle, page.paper)
    return Done(Pixels(straight, contrast=page.contrast), f"skew {angle:.1f}", back)


def cut_margins(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Cut off wide blank margins."""
    if not options.margins or (cut := part.print_only(page)) is None:
        return None
    pixels, back = cut
    return Done(pixels, "margins", back)


STEPS: tuple[Step, ...] = (
    take_out_specks,
    turn_positive,
    sharpen_print,
    smooth_grain,
    clear_border,
    turn_bars_positive,
    even_light,
    cut_margins,
    stand_up,
    straighten,
)
"""In the order in which they are applied: what a step measures must not be spoilt by one that comes later."""


def is_empty(page: Pixels) -> bool:
    """Whether nothing on the page is as large as the smallest letter."""
    return not bool((page.marks[:, 2:4].max(axis=1, initial=0) >= _SMALLEST_MARK).any())


def fit(page: Enhanced, pixels: Pixels, options: EnhanceOptions, dpi: float | None, *, thorough: bool) -> Enhanced:
    """Bring print, or the page, to its size, and what is made of dots together."""
    measured = scale.measure_print(pixels)
    if measured is not None and thorough:
        measured = replace(
            measured, broken=scale.brokenness(marks_of(ink_of(page.gray, pixels.contrast)), measured.height)
        )
    if measured is not None and options.mend and measured.broken > mend.BROKEN:
        pixels = Pixels(mend.mended(page.gray, measured.height), contrast=pixels.contrast)
        page = _after(page, Done(pixels, MEND))
        measured = scale.measure_print(pixels)
    across, down = _factors(page, options, measured, dpi)
    if across == down == 1.0:
        return replace(page, print=measured)
    scaled, back = scale.resize(page.gray, across, down)
    step = f"scale {down:.2f}" if across == down else f"scale {across:.2f} x {down:.2f}"
    found = None if measured is None else replace(measured, height=measured.height * down)
    return replace(_after(page, Done(Pixels(scaled), step, back)), print=found)


def leave_out_rules(page: Enhanced, measured: Pixels, options: EnhanceOptions) -> Enhanced:
    """Leave out rules made of dashes, where print is not running text."""
    # The last step, as it needs letters that are not too small; books have no such rules.
    if not options.rules or page.print is None or page.print.running:
        return page
    dashes = rules.rules(page.gray, page.print.height, measured.contrast)
    if not len(dashes):
        return page
    return _after(page, Done(Pixels(rules.without(page.gray, dashes, measured.paper)), f"rules {len(dashes)}"))


def _factors(
    page: Enhanced, options: EnhanceOptions, measured: scale.Print | None, dpi: float | None
) -> tuple[float, float]:
    """Across and down."""
    if options.fixed_size:
        factor = options.fixed_size / max(page.gray.shape)
        return factor, factor
    if options.fixed_dpi and dpi:
        return options.fixed_dpi / dpi, options.fixed_dpi / dpi
    if not options.scale:
        return 1.0, 1.0
    if measured is None or DUST in page.steps:
        # What is left of noise or a halftone is not worth more pixels, though some of it may look like letters.
        factor = min(1.0, (scale.MOST_UNMEASURED / page.gray.size) ** 0.5)
        return factor, factor
    best = scale.BEST_RUNNING_HEIGHT if measured.running else scale.BEST_TEXT_HEIGHT
    factor = scale.scale_factor(measured.height, options.text_height or best)
    if factor >= 1.0:
        return factor, factor
    # Where there are more pixels than enough, more or fewer of them are dropped across than down.
    narrow = scale.narrowing(measured) if options.narrow else 1.0
    broad = scale.broadening(measured) if options.broaden else 1.0
    return factor * narrow * broad, factor


def _after(page: Enhanced, done: Done) -> Enhanced:
    to_given = page.to_given if done.to_given is None else compose(page.to_given, done.to_given)
    return replace(page, gray=done.pixels.gray, to_given=to_given, steps=(*page.steps, done.step))
