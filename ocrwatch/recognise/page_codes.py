"""Adds its codes to a page that was read, by whichever engine."""

from __future__ import annotations

from dataclasses import replace

from ocrwatch.document import Page
from ocrwatch.recognise.code_library import loading
from ocrwatch.recognise.decode import Decoded
from ocrwatch.recognise.extract.failures import bug_warning, is_of_environment
from ocrwatch.recognise.stopwatch import Stopwatch


def with_codes(page: Page, decoded: Decoded, clock: Stopwatch) -> Page:
    """Return a page with its codes. A bug in finding them costs no text: the page has a warning then.

    Raises what the environment is to blame for: then the scan must be read again.
    """
    with loading():
        # Loads the library of an extra.
        from ocrwatch.recognise.extract.codes import find_codes  # noqa: PLC0415
    try:
        page = replace(page, codes=find_codes(decoded))
    except Exception as error:
        if is_of_environment(error):
            raise
        page = replace(page, codes=(), warnings=(*page.warnings, bug_warning("codes", error)))
    clock.lap("codes")
    return page
