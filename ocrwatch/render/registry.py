"""Finds sidecar formats and renders pages with them.

A format is one module here, or in another package. It is found by its name in the entry point group
``ocrwatch.formats``; the built-in ones are found even if ocrwatch runs from its source tree, without being installed.
Results are cached: a package that is installed later is known after a restart, when the ledger has recorded its ending.
"""

from __future__ import annotations

import functools
import math
import re
import traceback
from collections.abc import Iterable
from typing import Final

from ocrwatch.document import LONGEST_VALUE, Page, PageSummary
from ocrwatch.errors import EnvironmentFault, InternalFault, OcrwatchError, UsageError
from ocrwatch.plugins import find, installed, origin
from ocrwatch.render.base import Format, Original, RenderedPage, RenderRequest, shows_original, shows_tables

GROUP: Final = "ocrwatch.formats"

TEXT: Final = "txt"
"""The format that is published last, as the commit mark: if its sidecar is there, all others are."""

# A rebuilt ledger recognises scans by the contents of their json.
_BUILT_IN: Final = {
    TEXT: "ocrwatch.render.txt:TxtFormat",
    "json": "ocrwatch.render.json:JsonFormat",
    "hocr": "ocrwatch.render.hocr:HocrFormat",
    "alto": "ocrwatch.render.alto:AltoFormat",
    "tsv": "ocrwatch.render.tsv:TsvFormat",
    "md": "ocrwatch.render.markdown:MarkdownFormat",
    "pdf": "ocrwatch.render.pdf:PdfFormat",
    "csv": "ocrwatch.render.csv:CsvFormat",
    "xlsx": "ocrwatch.render.xlsx:XlsxFormat",
    "explain": "ocrwatch.render.explain:ExplainFormat",
}
_ENDING: Final = re.compile(r"(?=.{1,32}\Z)[A-Za-z0-9]+([._-][A-Za-z0-9]+)*")
"""Endings that are safe in a file name on every file system, and leave room for the stem."""

_LONGEST_REMARKS: Final = 100_000
"""Characters of a page's warnings, reasons for review and the like, which go to ledger and log."""

_RESERVED: Final = (
    *("jpg", "jpeg", "png", "tif", "tiff"),
    *("txt", "json", "hocr", "alto.xml", "tsv", "md", "pdf", "tables.csv", "tables.xlsx", "explain.png"),
    "fields-line",
)
"""Endings that other packages may not use: of scans, since the archive may be the outbox, of built-in formats, and of
lines for the list of fields. ``tables.csv`` excludes ``csv``, so that no sidecar is named like that list."""


def is_installed(name: str) -> bool:
    """Return whether there is a format of this name, without importing it."""
    return find(GROUP, _BUILT_IN, name) is not None


def names() -> tuple[str, ...]:
    """Return the names of all installed formats, without importing them.

    The built-in ones come first.
    """
    return (*_BUILT_IN, *sorted(installed(GROUP, _BUILT_IN).keys() - _BUILT_IN.keys()))


@functools.cache
def load(name: str) -> Format:
    """Return a format.

    Raises UsageError if there is none, EnvironmentFault if its package, or one that it needs, cannot be used.
    """
    found = find(GROUP, _BUILT_IN, name)
    if found is None:
        raise UsageError(f"there is no format named {name!r}", f"set output.formats to some of: {', '.join(names())}")
    try:
        made: Format = found.load()()
        flaw = _flaw(made, name)
    except EnvironmentFault:
        raise
    except (Exception, SystemExit) as error:  # another package's code may raise anything
        raise _unusable(name, f"{type(error).__name__}: {error}") from error
    if flaw:
        raise _unusable(name, flaw)
    return made


@functools.cache
def choose(formats: tuple[str, ...]) -> tuple[Format, ...]:
    """Return the formats of these names in the order of publishing.

    Raises like :func:`load`, and UsageError if two of them would write to the same file.
    """
    chosen = [load(name) for name in sorted(formats, key=publishing_order)]
    by_ending: dict[str, str] = {}
    for each in chosen:
        # In any case: on many shares it is the same file.
        other = by_ending.setdefault(each.ending.casefold(), each.name)
        if other != each.name:
            raise UsageError(
                f"the formats {other} and {each.name} both write files that end in .{each.ending}",
                "name one of the two in output.formats",
            )
    return tuple(chosen)


@functools.cache
def needs_original(formats: tuple[str, ...]) -> bool:
    """Return whether one of these formats gets the original's bytes. Raises like :func:`choose`."""
    return any(map(shows_original, choose(formats)))


def table_formats(formats: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names of those formats that write tables and nothing else. Raises like :func:`choose`."""
    return tuple(each.name for each in choose(formats) if shows_tables(each))


@functools.cache
def endings() -> tuple[str, ...]:
    """Return the endings that sidecars may have, for all formats.

    Those of packages that cannot be loaded are unknown.
    """
    found: list[str] = []
    for name in sorted(names(), key=publishing_order):
        try:
            found.append(load(name).ending)
        except OcrwatchError:
            # If it is configured, the start is refused with the reason.
            continue
    return tuple(dict.fromkeys(found))


def commit_mark(formats: Iterable[str]) -> str:
    """Return the ending of the sidecar that is published last.

    If it exists, all others were published.
    """
    return load(max(formats, key=publishing_order)).ending


def render(page: Page, original: Original, formats: tuple[str, ...]) -> tuple[tuple[str, bytes], ...]:
    """Return ``(ending, bytes)`` for each wanted format, in the order of publishing.

    Raises EnvironmentFault if a package that a format needs cannot be used, InternalFault if a format fails, which is a
    bug of it: this scan cannot be delivered, and others can.
    """
    return tuple((each.ending, _rendered(each, page, original)) for each in choose(formats))


def flaw_of(page: RenderedPage, request: RenderRequest) -> str:
    """Return why a rendered page cannot be the answer to a request; empty if it can.

    It comes from a worker that a scan may have taken over, or from another package's executor.
    """
    if not isinstance(page, RenderedPage) or not isinstance(page.summary, PageSummary):
        return f"a {type(page).__name__}"
    if tuple(ending for ending, _ in page.sidecars) != tuple(each.ending for each in choose(request.formats)):
        return "other sidecars than were requested"
    if not all(isinstance(content, bytes) for content in (page.packed, *(content for _, content in page.sidecars))):
        return "a sidecar that is not bytes"
    if flaw := _flaw_of_fields(page, request):
        return flaw
    summary = page.summary
    if summary.confidence is not None and not math.isfinite(summary.confidence):
        return "a confidence that is not finite"
    words = (summary.engine.name, summary.engine.version, *summary.warnings, *summary.review_reasons)
    is_too_long = sum(map(len, words)) > _LONGEST_REMARKS or len(summary.preview) > max(request.preview_chars, 0)
    return "remarks that are too long" if is_too_long else ""


def _flaw_of_fields(page: RenderedPage, request: RenderRequest) -> str:
    if page.fields is None:
        return ""
    if [each.name for each in page.fields] != [rule.name for rule in request.fields]:
        return "other fields than were requested"
    is_too_long = any(len(each.value) > LONGEST_VALUE for each in page.fields)
    return "a value of a field that is too long" if is_too_long else ""


def _rendered(wanted: Format, page: Page, original: Original) -> bytes:
    try:
        content: object = wanted.render(page, original)
    except (MemoryError, EnvironmentFault):
        # Not its fault: the scan is delivered when there is memory, or the package.
        raise
    except (Exception, SystemExit) as error:
        raise _bug(wanted.name, f"failed ({error!r})", "".join(traceback.format_exception(error))) from error
    if not isinstance(content, bytes):
        raise _bug(wanted.name, f"returned {type(content).__name__} and no bytes")
    return content


def publishing_order(name: str) -> tuple[bool, str]:
    """Return the sort key of publishing: the commit mark is last."""
    return name == TEXT, name


def _flaw(made: Format, name: str) -> str:
    """Return why a format cannot be used, empty if it can."""
    ending: object = getattr(made, "ending", None)
    if getattr(made, "name", None) != name:
        return f"its name is {getattr(made, 'name', None)!r}, that of its entry point {name!r}"
    if not isinstance(ending, str) or not _ENDING.fullmatch(ending):
        return f"its ending {ending!r} cannot be that of a file"
    if name not in _BUILT_IN and any(_are_confused(ending.casefold(), each) for each in _RESERVED):
        return f"its ending {ending!r} is that of scans, or of a format that is built in"
    if not callable(getattr(made, "render", None)):
        return "it has no method render"
    return ""


def _are_confused(one: str, other: str) -> bool:
    """Return whether files with these endings are taken for one another.

    ``scan1.words.txt`` would be the text of a scan named ``scan1.words.jpg``.
    """
    return one == other or one.endswith(f".{other}") or other.endswith(f".{one}")


def _unusable(name: str, reason: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"the format {name}{origin(find(GROUP, _BUILT_IN, name))} cannot be used ({reason})",
        f"install a version of its package that works, or take {name} out of output.formats",
    )


def _bug(name: str, what: str, trace: str = "") -> InternalFault:
    if name in _BUILT_IN:
        return InternalFault(f"a bug in ocrwatch: the format {name} {what}", "please report it", trace)
    return InternalFault(
        f"a bug in another package: the format {name}{origin(find(GROUP, _BUILT_IN, name))} {what}",
        f"report it to the makers of that package, or take {name} out of output.formats",
        trace,
    )
