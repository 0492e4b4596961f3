"""Image preprocessing before OCR.

Each step runs only if a measurement of the page requires it. A step is a pure function from pixels to pixels. It also
returns the affine map from its output to its input. The maps are composed, so that one affine map takes the word boxes
to the original, however many steps were applied.
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
"""Step name in ``Page.steps``: the page was turned by 90 degrees because its text lines ran vertically."""

DUST = "dust"
"""Step name in ``Page.steps``: components too small for letters were removed."""

MEND = "mend"
"""Step name in ``Page.steps``: the dots of dot matrix print were joined to strokes."""

_SMALLEST_MARK = 3
"""Pixels of the survey copy: the size of letters of 6-point type on A4."""


@dataclass(frozen=True, slots=True)
class Enhanced:
    """An image that is ready for the OCR engine."""

    gray: Gray
    to_given: Affine
    """Maps ``gray`` to the pixels of the page that was passed in."""
    steps: tuple[str, ...]
    """Names of the steps that were applied, in order."""
    print: scale.Print | None = None
    """Text metrics of ``gray``; None if they were not measured or there are too few letters."""
    empty: bool = False
    """Whether no component on the page is large enough for a letter."""


@dataclass(frozen=True, slots=True)
class Done:
    """Result of one step."""

    pixels: Pixels
    step: str
    to_given: Affine | None = None
    """Maps the result to the step's input; None if no pixel moved."""


Step = Callable[[Pixels, EnhanceOptions], "Done | None"]
"""Returns None if the step is switched off or not required."""


def enhance(
    page: Pixels, options: EnhanceOptions, dpi: float | None = None, *, turns: int = 0, thorough: bool = False
) -> Enhanced:
    """Apply the steps that are enabled and required. ``page`` is not changed.

    ``dpi`` is the resolution of the page, None if it is unknown. The page is first turned clockwise by ``turns``
    quarters. If ``thorough``, dot matrix print is measured at full resolution instead of on the survey copy.
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
        # Blur has already thinned the strokes; narrowing would thin them further.
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
    """Remove salt-and-pepper noise, but not from grainy pages.

    The peaks of Gaussian noise look like single-pixel specks; :func:`smooth_grain` handles such pages.
    """
    if not options.noise or noise.speckle(page.gray) < noise.MANY_SPECKS:
        return None
    if noise.noise_level(page.gray) >= noise.NOISY:
        return None
    return Done(Pixels(noise.without_specks(page.gray)), "specks")


def turn_positive(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Invert a page with white text on black."""
    if not options.invert or not invert.is_inverted(page):
        return None
    return Done(Pixels(invert.inverted(page.gray)), "invert")


def turn_bars_positive(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Invert dark bars that contain white text."""
    if not options.invert or not (found := bars.bars(page)):
        return None
    return Done(bars.inverted(page, found), f"invert {len(found)} bars")


def sharpen_print(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Sharpen blurred text."""
    if not options.sharpen or (steep := sharpen.steepness(page.gray)) is None or not 0 < steep < sharpen.SOFT:
        return None
    measured = scale.measure_print(page)
    if measured is None or steep * measured.height >= sharpen.BLURRED:
        return None
    return Done(Pixels(sharpen.sharpened(page.gray, steep)), f"sharpen {steep:.2f}")


def smooth_grain(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Smooth noise if its standard deviation is at least ``noise.NOISY``."""
    if not options.noise or (level := noise.noise_level(page.gray)) < noise.NOISY:
        return None
    return Done(Pixels(noise.smoothed(page.gray, level)), f"noise {level:.0f}")


def clear_border(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Fill the dark area around the paper with the paper's brightness."""
    if not options.border or (outside := border.surroundings(page)) is None:
        return None
    return Done(border.cleared(page, outside), "border")


def even_light(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Even out illumination, and make paper white and ink black."""
    if not options.light:
        return None
    paper = light.background(page.small)
    depth = light.ink_depth(page, paper)
    if depth is None or (depth >= light.BLACK_ENOUGH and light.is_even(paper)):
        return None
    depth = light.bearable(depth, light.texture(page, paper), paper)
    return Done(light.evened(page, paper, depth), f"light {1 / depth:.1f}")


def stand_up(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Turn a page whose text lines run vertically.

    Whether it is upside down is known only after OCR.
    """
    if not options.turn or not skew.lies_on_its_side(page):
        return None
    height, width = page.gray.shape
    return Done(page.turned(1), LAY_ON_ITS_SIDE, quarter_turns(1, width, height))


def straighten(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Deskew the page."""
    if not options.skew or (angle := skew.skew_angle(page)) == 0.0:
        return None
    straight, back = skew.straightened(page.gray, angle, page.paper)
    return Done(Pixels(straight, contrast=page.contrast), f"skew {angle:.1f}", back)


def cut_margins(page: Pixels, options: EnhanceOptions) -> Done | None:
    """Crop wide blank margins."""
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
"""The steps in the order of their application. No step may disturb what a later one measures."""


def is_empty(page: Pixels) -> bool:
    """Return whether every component is smaller than the smallest letter."""
    return not bool((page.marks[:, 2:4].max(axis=1, initial=0) >= _SMALLEST_MARK).any())


def fit(page: Enhanced, pixels: Pixels, options: EnhanceOptions, dpi: float | None, *, thorough: bool) -> Enhanced:
    """Scale the page to the best text height, and join the dots of dot matrix print."""
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
    """Remove dashed rules, except from running text."""
    # This is the last step because it needs letters that are not too small. Books have no such rules.
    if not options.rules or page.print is None or page.print.running:
        return page
    dashes = rules.rules(page.gray, page.print.height, measured.contrast)
    if not len(dashes):
        return page
    return _after(page, Done(Pixels(rules.without(page.gray, dashes, measured.paper)), f"rules {len(dashes)}"))


def _factors(
    page: Enhanced, options: EnhanceOptions, measured: scale.Print | None, dpi: float | None
) -> tuple[float, float]:
    """Return the horizontal and the vertical scale factor."""
    if options.fixed_size:
        factor = options.fixed_size / max(page.gray.shape)
        return factor, factor
    if options.fixed_dpi and dpi:
        return options.fixed_dpi / dpi, options.fixed_dpi / dpi
    if not options.scale:
        return 1.0, 1.0
    if measured is None or DUST in page.steps:
        # The remains of noise or of a halftone do not justify more pixels, even if some look like letters.
        factor = min(1.0, (scale.MOST_UNMEASURED / page.gray.size) ** 0.5)
        return factor, factor
    best = scale.BEST_RUNNING_HEIGHT if measured.running else scale.BEST_TEXT_HEIGHT
    factor = scale.scale_factor(measured.height, options.text_height or best)
    if factor >= 1.0:
        return factor, factor
    # The image is reduced, so the aspect ratio may change: fewer or more columns than rows are dropped.
    narrow = scale.narrowing(measured) if options.narrow else 1.0
    broad = scale.broadening(measured) if options.broaden else 1.0
    return factor * narrow * broad, factor


def _after(page: Enhanced, done: Done) -> Enhanced:
    to_given = page.to_given if done.to_given is None else compose(page.to_given, done.to_given)
    return replace(page, gray=done.pixels.gray, to_given=to_given, steps=(*page.steps, done.step))
