"""Names of languages: from Tesseract's to ISO 639-1 and to those of services."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from typing import Final

from ocrwatch.recognise.languages import LANGUAGES

_CODE: Final = 2
"""Letters of a code of ISO 639-1."""

_OTHERS: Final = {"chi_sim": "zh", "chi_tra": "zh", "enm": "en", "frk": "de", "frm": "fr", "grc": "el"}
"""Names without a code of their own: Chinese, whose codes have a region, and older languages."""


def iso_639_1(name: str) -> str | None:
    """Return the code of ISO 639-1 of a language that Tesseract names, such as ``de`` for ``deu``.

    Variants such as ``jpn_vert`` and ``ita_old`` have the code of their language. None for scripts, and for languages
    without a code.
    """
    codes = _codes()
    return codes.get(name) or codes.get(_language(name))


def named(languages: Iterable[str], names: Mapping[str, str]) -> list[str]:
    """Return a service's names of languages that Tesseract names, each once; those that it does not know are left out.

    ``names`` are by Tesseract's, such as ``chi_tra``, or by ISO 639-1.
    """
    found = (names.get(name) or names.get(_language(name)) or names.get(iso_639_1(name) or "") for name in languages)
    return list(dict.fromkeys(filter(None, found)))


def _language(name: str) -> str:
    """Return the language of a variant, such as ``chi_sim`` for ``chi_sim_vert``."""
    language, _, _ = name.rpartition("_")
    return language or name


@functools.cache
def _codes() -> dict[str, str]:
    codes = {}
    for line in LANGUAGES.strip().splitlines():
        name, *others = line.partition(":")[0].split(" ")
        code = next((other for other in others if len(other) == _CODE), None)
        if code is not None:
            codes[name] = code
    return codes | _OTHERS
