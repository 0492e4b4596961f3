"""Reads a scan from Python: :func:`read`, which is ``ocrwatch.read``, and :func:`page_count`.

It reads in the caller's process, so it does not touch process-wide state: standard error, signals, limits and the
number of OpenCV's threads.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import IO

from pydantic import ValidationError

from ocrwatch.cache.codec import unpack
from ocrwatch.document import Page
from ocrwatch.errors import InternalFault, OcrwatchError, OutOfMemory, UsageError, is_memory_error
from ocrwatch.recipe import REMOTE, WHOLE_PAGE, Recipe
from ocrwatch.recognise import page as pages
from ocrwatch.recognise.own_text import completed
from ocrwatch.recognise.shared_process import embedded_process
from ocrwatch.settings import Settings, recipe
from ocrwatch.settings.errors import wrong_value
from ocrwatch.settings.key_lookup import option_keys
from ocrwatch.splitting.in_process import opened, page_of

Source = bytes | bytearray | memoryview | str | os.PathLike[str] | IO[bytes]
"""An image's bytes, its path, or a file object opened in binary mode."""

_NOTHING: Mapping[str, object] = MappingProxyType({})

_reading = threading.Lock()
"""Held while a page is read: a process has one engine, which is not thread-safe."""


def read(
    source: Source,
    *,
    languages: str | Sequence[str] = ("eng",),
    engine: str = "auto",
    second: str = "auto",
    page_segmentation: int = 3,
    dpi: int = 0,
    whitelist: str = "",
    blacklist: str = "",
    variables: Mapping[str, object] = _NOTHING,
    tessdata: str | os.PathLike[str] | None = None,
    region: tuple[float, float, float, float] = WHOLE_PAGE,
    min_confidence: float = 30.0,
    enhance: Mapping[str, object] = _NOTHING,
    tables: bool = False,
    codes: bool = False,
    document_type: str = "none",
    locale: str = "",
    fields: Sequence[Mapping[str, object]] = (),
    page: int = 0,
) -> Page:
    """Read one image like ``ocrwatch run``, in this process, and return its page.

    ``page.text`` is the text. ``page.blocks``, ``page.lines`` and ``page.words`` are tuples in reading order; a box is
    left, top, right and bottom in upright pixels of the original, right and bottom exclusive; a confidence is from 0
    to 100. A blank page has no words and no error.

    The keywords are the options of ``[ocr]`` with the same defaults; ``enhance`` has those of ``[enhance]`` that
    differ, such as ``{"skew": False}``. With ``tables`` the page's tables are found too: ``page.tables``; with
    ``codes`` its bar codes and QR codes: ``page.codes``. Settings files and ``OCRWATCH_*`` variables are not read.

    ``document_type``, such as ``"receipt"``, ``locale``, such as ``"de_DE"``, and ``fields`` are the options of a
    profile: each of ``fields`` has the options of a ``[[profiles.fields]]``, such as ``{"name": "order", "near":
    ["order no"]}``. The fields that were looked for are in ``page.fields``, in order, each with its value and its
    standing, those without a value among them; ``page.fields`` is None if none were.

    Of a PDF (extra ``pdf``) or a TIFF with several pages, ``page`` says which one is read, from 1;
    :func:`page_count` says how many there are. The text of a PDF that has some of its own is taken as it is.

    The first call loads the engine (about a third of a second), later ones reuse it; so do calls with other options,
    but other languages are loaded anew. Threads may call it: one page is read at a time, and the others wait. To read
    several at once, use processes, started with ``spawn`` (OpenCV cannot be forked). The engine pytesseract sets
    OMP_THREAD_LIMIT in this process's environment; tesserocr, which ``auto`` takes if it is there, changes nothing.

    There is no time limit and no memory limit, and native code that crashes ends this process: for files from unknown
    people use the daemon or ``ocrwatch read``, which read in separate processes.

    Raises, all of them :class:`OcrwatchError` with ``message``, ``remedy`` and ``exit_code``:

    - :class:`ScanFault` if this file cannot be read, with a stable ``code``: OtherFormat, Truncated, Damaged,
      Encrypted, TooLarge (more than ``enhance={"max_pixels": …}``), Unsupported, EngineFailed, OutOfMemory or
      InternalFault (our bug)
    - :class:`UsageError` if an option has a wrong value, the file has no such ``page``, or it has several and no
      ``page`` is given
    - :class:`EnvironmentFault` if the engine, the data of a language, or the extra codes is not installed

    and also OSError if the file cannot be opened or read, and TypeError for other kinds of source.
    """
    _check_kinds(languages, variables, enhance)
    _check_engines(engine=engine, second=second)
    wanted = _recipe(
        {
            "engine": engine,
            "second": second,
            "languages": languages if isinstance(languages, str) else tuple(languages),
            "page_segmentation": page_segmentation,
            "dpi": dpi,
            "whitelist": whitelist,
            "blacklist": blacklist,
            "variables": dict(variables),
            "tessdata": None if tessdata is None else Path(tessdata).expanduser(),
            "region": region,
            "min_confidence": min_confidence,
        },
        dict(enhance),
        {"match": "**", "document_type": document_type, "locale": locale, "fields": _as_list(fields)},
        sections={"tables": {"enabled": tables}, "codes": {"enabled": codes}},
    )
    content = _bytes_of(source)
    try:
        with _reading, embedded_process(), opened(content, wanted.enhance.max_pixels) as file:
            number = _number(page, 1 if file is None else file.count)
            if file is None:
                return pages.recognise(content, wanted)
            image, packed = page_of(file, number)
            return completed(unpack(packed), image, wanted) if packed else pages.recognise(image, wanted)
    except OcrwatchError:
        raise
    except Exception as error:
        raise _as_expected(error) from error


def page_count(source: Source) -> int:
    """Return how many pages a PDF or a TIFF has; 1 for every other file.

    It is read in this process. Raises like :func:`read`.
    """
    content = _bytes_of(source)
    try:
        with _reading, opened(content, Recipe().enhance.max_pixels) as file:
            return 1 if file is None else file.count
    except OcrwatchError:
        raise
    except Exception as error:
        raise _as_expected(error) from error


def _number(page: int, count: int) -> int:
    """Return the number of the page that is read; raises UsageError."""
    has = "one page" if count == 1 else f"{count:,} pages"
    if not page and count > 1:
        raise UsageError(
            f"the file has {has}", "say which one is read, such as page=1; ocrwatch.page_count counts them"
        )
    if not 0 <= page <= count:
        raise UsageError(f"the file has {has}, and no page {page}", "give a number from 1 on")
    return page or 1


def _check_kinds(languages: object, variables: object, enhance: object) -> None:
    """Raise UsageError for arguments of a wrong type."""
    if not isinstance(languages, Iterable):
        raise UsageError(f"languages is {languages!r}", 'give a list of names, such as ["eng", "deu"]')
    for name, value in (("variables", variables), ("enhance", enhance)):
        if not isinstance(value, Mapping):
            raise UsageError(f"{name} is {value!r}", "give a dictionary of options and their values")


def _check_engines(**engines: object) -> None:
    """Raise UsageError for several engines, and for remote services: none is described here."""
    for name, engine in engines.items():
        if not isinstance(engine, str) or "," in engine:
            raise UsageError(f"{name} is {engine!r}", "name one engine")
        if engine.strip().startswith(REMOTE):
            raise UsageError(
                f"{name} is {engine!r}, but ocrwatch.read sends nothing to services",
                "use ocrwatch run, once or read with settings that have a [[remote]]",
            )


def _as_list(fields: object) -> list[object]:
    """Return the fields; raises UsageError for something that has none, or one field alone."""
    if isinstance(fields, Mapping | str | bytes) or not isinstance(fields, Iterable):
        raise UsageError(f"fields is {fields!r}", "give a list of dictionaries, each with the options of a field")
    return [dict(each) if isinstance(each, Mapping) else each for each in fields]


def _recipe(
    ocr: dict[str, object], enhance: dict[str, object], profile: dict[str, object], *, sections: dict[str, object]
) -> Recipe:
    """Check the options like those of a settings file; raises UsageError."""
    wanted = {"ocr": ocr, "enhance": enhance, **sections, "profiles": [profile]}
    try:
        settings = Settings.model_validate(wanted)
    except ValidationError as error:
        wrong = wrong_value(error, dict.fromkeys(option_keys(), "ocrwatch.read"))
        raise UsageError(_without_profile(wrong.message), _without_profile(wrong.remedy)) from None
    return recipe(settings.with_profile(*settings.profiles))


def _without_profile(text: str) -> str:
    """Leave out the profile, which the caller does not know of."""
    return text.replace("profiles[0].", "").replace(" in profiles[0]", "")


def _bytes_of(source: Source) -> bytes:
    if isinstance(source, bytes | bytearray | memoryview):
        return bytes(source)
    if isinstance(source, str | os.PathLike):
        return Path(source).read_bytes()
    if not hasattr(source, "read"):
        raise TypeError(f"an image is read from bytes, a path or a file object, not from {type(source).__name__}")
    content = source.read()
    if not isinstance(content, bytes | bytearray | memoryview):
        raise TypeError('the file object gives no bytes; open the file in binary mode, with "rb"')
    return bytes(content)


def _as_expected(error: Exception) -> OcrwatchError:
    if is_memory_error(error):
        return OutOfMemory(
            "reading the scan needs more memory than this process has", "scan at fewer dpi, or give it more memory"
        )
    return InternalFault(f"a bug in ocrwatch: {type(error).__name__}: {error}", "please report it with its traceback")
