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
    border,
    crop,
    dashed_rules,
    dot_matrix,
    fixed_steps,
    illumination,
    invert,
    noise,
    scale,
    shades,
    sharpen,
    skew,
)
from ocrwatch.recognise.enhance.pixels import Pixels, find_components, ink_of

_UNTOUCHED = scaling(1.0, 1.0)

LAY_ON_ITS_SIDE = "turn 90"
"""Step name in ``Page.steps``: the page was turned by 90 degrees because its text lines ran vertically."""

DUST = "dust"
"""Step name in ``Page.steps``: components too small for letters were removed."""

MEND = "mend"
"""Step name in ``Page.steps``: the dots of dot matrix print were joined to strokes."""

_MIN_LETTER_SIZE = 3
"""Pixels of the survey copy: the size of letters of 6-point type on A4."""


@dataclass(frozen=True, slots=True)
class Enhanced:
    """An image that is ready for the OCR engine."""

    gray: Gray
    to_input: Affine
    """Maps ``gray`` to the pixels of the page that was passed in."""
    steps: tuple[str, ...]
    """Names of the steps that were applied, in order."""
    text_metrics: scale.TextMetrics | None = None
    """Text metrics of ``gray``; None if they were not measured or there are too few letters."""
    empty: bool = False
    """Whether no component on the page is large enough for a letter."""


@dataclass(frozen=True, slots=True)
class StepResult:
    """Result of one step."""

    pixels: Pixels
    step: str
    to_input: Affine | None = None
    """Maps the result to the step's input; None if no pixel moved."""


Step = Callable[[Pixels, EnhanceOptions], "StepResult | None"]
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
        enhanced = replace(enhanced, to_input=quarter_turns(turns, width, height), steps=(f"turn {90 * turns}",))
    if not options.enabled:
        return enhanced
    fine = pixels.with_fine_survey is not pixels
    pixels = pixels.with_fine_survey
    for step in STEPS:
        result = step(pixels, options)
        if result is not None:
            pixels = result.pixels.with_fine_survey if fine else result.pixels
            enhanced = _after(enhanced, result)
    if any(step.startswith("sharpen") for step in enhanced.steps):
        # Blur has already thinned the strokes; narrowing would thin them further.
        options = replace(options, narrow=False)
    if options.noise and noise.is_dusty(pixels.components) and scale.measure_text(pixels) is None:
        pixels = Pixels(noise.without_dust(pixels), contrast=pixels.contrast)
        enhanced = _after(enhanced, StepResult(pixels, DUST))
    if options.blank and is_empty(pixels):
        return replace(enhanced, empty=True)
    enhanced = scale_text(enhanced, pixels, options, dpi, thorough=thorough)
    enhanced = remove_dashed_rules(enhanced, pixels, options)
    if options.blur:
        blurred = fixed_steps.blurred(enhanced.gray, options.blur)
        enhanced = _after(enhanced, StepResult(Pixels(blurred), f"blur {options.blur:g}"))
    if options.threshold != "none":
        binary = fixed_steps.binarise(enhanced.gray, options.threshold, options.threshold_value)
        enhanced = _after(enhanced, StepResult(Pixels(binary), f"threshold {options.threshold}"))
    return enhanced


def remove_specks(page: Pixels, options: EnhanceOptions) -> StepResult | None:
    """Remove salt-and-pepper noise, but not from grainy pages.

    The peaks of Gaussian noise look like single-pixel specks; :func:`smooth_grain` handles such pages.
    """
    if not options.noise or noise.speckle(page.gray) < noise.MANY_SPECKS:
        return None
    if noise.noise_level(page.gray) >= noise.NOISY:
        return None
    return StepResult(Pixels(noise.without_specks(page.gray)), "specks")


def invert_page(page: Pixels, options: EnhanceOptions) -> StepResult | None:
    """Invert a page with white text on black."""
    if not options.invert or not invert.is_inverted(page):
        return None
    return StepResult(Pixels(invert.inverted(page.gray)), "invert")


def remove_shades(page: Pixels, options: EnhanceOptions) -> StepResult | None:
    """Put the text of shaded boxes on paper: cells and headings of tables, and bars with white text."""
    if not options.invert or not (found := shades.find_boxes(page)):
        return None
    return StepResult(shades.without_shades(page, found), f"shades {len(found)}")


def sharpen_text(page: Pixels, options: EnhanceOptions) -> StepResult | None:
    """Sharpen blurred text."""
    if not options.sharpen or (steep := sharpen.steepness(page.gray)) is None or not 0 < steep < sharpen.SOFT:
        return None
    measured = scale.measure_text(page)
    if measured is None or steep * measured.height >= sharpen.BLURRED:
        return None
    return StepResult(Pixels(sharpen.sharpened(page.gray, steep)), f"sharpen {steep:.2f}")


def smooth_grain(page: Pixels, options: EnhanceOptions) -> StepResult | None:
    """Smooth noise if its standard deviation is at least ``noise.NOISY``."""
    if not options.noise or (level := noise.noise_level(page.gray)) < noise.NOISY:
        return None
    return StepResult(Pixels(noise.smoothed(page.gray, level)), f"noise {level:.0f}")


def fill_border(page: Pixels, options: EnhanceOptions) -> StepResult | None:
    """Fill the dark area around the paper with the paper's brightness."""
    if not options.border or (outside := border.find_border(page)) is None:
        return None
    return StepResult(border.without_border(page, outside), "border")


def normalise_light(page: Pixels, options: EnhanceOptions) -> StepResult | None:
    """Even out illumination, and make paper white and ink black."""
    if not options.light:
        return None
    paper = illumination.background(page.survey)
    contrast = illumination.ink_contrast(page, paper)
    if contrast is None or (contrast >= illumination.BLACK_ENOUGH and illumination.is_evenly_lit(paper)):
        return None
    contrast = illumination.limit_texture(contrast, illumination.texture(page, paper), paper)
    return StepResult(illumination.normalise(page, paper, contrast), f"light {1 / contrast:.1f}")


def turn_upright(page: Pixels, options: EnhanceOptions) -> StepResult | None:
    """Turn a page whose text lines run vertically.

    Whether it is upside down is known only after OCR.
    """
    if not options.turn or not skew.lies_on_its_side(page):
        return None
    height, width = page.gray.shape
    return StepResult(page.turned(1), LAY_ON_ITS_SIDE, quarter_turns(1, width, height))


def deskew_page(page: Pixels, options: EnhanceOptions) -> StepResult | None:
    """Deskew the page."""
    if not options.skew or (angle := skew.skew_angle(page)) == 0.0:
        return None
    straight, back = skew.deskew(page.gray, angle, page.paper)
    return StepResult(Pixels(straight, contrast=page.contrast), f"skew {angle:.1f}", back)


def crop_margins(page: Pixels, options: EnhanceOptions) -> StepResult | None:
    """Crop wide blank margins."""
    if not options.margins or (cropped := crop.crop_to_text(page)) is None:
        return None
    pixels, back = cropped
    return StepResult(pixels, "margins", back)


STEPS: tuple[Step, ...] = (
    remove_specks,
    invert_page,
    sharpen_text,
    smooth_grain,
    fill_border,
    remove_shades,
    normalise_light,
    crop_margins,
    turn_upright,
    deskew_page,
)
"""The steps in the order of their application. No step may disturb what a later one measures."""


def is_empty(page: Pixels) -> bool:
    """Return whether every component is smaller than the smallest letter."""
    return not bool((page.components[:, 2:4].max(axis=1, initial=0) >= _MIN_LETTER_SIZE).any())


def scale_text(
    page: Enhanced, pixels: Pixels, options: EnhanceOptions, dpi: float | None, *, thorough: bool
) -> Enhanced:
    """Scale the page to the best text height, and join the dots of dot matrix print."""
    measured = scale.measure_text(pixels)
    if measured is not None and thorough:
        components = find_components(ink_of(page.gray, pixels.contrast))
        measured = replace(measured, fragmentation=scale.fragmentation(components, measured.height))
    if measured is not None and options.mend and measured.fragmentation > dot_matrix.MIN_FRAGMENTATION:
        pixels = Pixels(dot_matrix.join_dots(page.gray, measured.height), contrast=pixels.contrast)
        page = _after(page, StepResult(pixels, MEND))
        measured = scale.measure_text(pixels)
    across, down = _factors(page, options, measured, dpi)
    if across == down == 1.0:
        return replace(page, text_metrics=measured)
    scaled, back = scale.resize(page.gray, across, down)
    step = f"scale {down:.2f}" if across == down else f"scale {across:.2f} x {down:.2f}"
    found = None if measured is None else replace(measured, height=measured.height * down)
    return replace(_after(page, StepResult(Pixels(scaled), step, back)), text_metrics=found)


def remove_dashed_rules(page: Enhanced, measured: Pixels, options: EnhanceOptions) -> Enhanced:
    """Remove dashed rules, except from running text."""
    # This is the last step because it needs letters that are not too small. Books have no such rules.
    if not options.rules or page.text_metrics is None or page.text_metrics.running:
        return page
    dashes = dashed_rules.find_dashes(page.gray, page.text_metrics.height, measured.contrast)
    if not len(dashes):
        return page
    cleared = dashed_rules.without_dashes(page.gray, dashes, measured.paper)
    return _after(page, StepResult(Pixels(cleared), f"rules {len(dashes)}"))


def _factors(
    page: Enhanced, options: EnhanceOptions, measured: scale.TextMetrics | None, dpi: float | None
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
    narrow = scale.narrow_factor(measured) if options.narrow else 1.0
    broad = scale.broaden_factor(measured) if options.broaden else 1.0
    return factor * narrow * broad, factor


def _after(page: Enhanced, result: StepResult) -> Enhanced:
    to_input = page.to_input if result.to_input is None else compose(page.to_input, result.to_input)
    return replace(page, gray=result.pixels.gray, to_input=to_input, steps=(*page.steps, result.step))
