"""What ocrwatch itself adds to its groups of entry points is found like other packages' parts."""

from __future__ import annotations

import os
import tomllib
from types import ModuleType
from typing import Any

import pytest

from ocrwatch import plugins
from ocrwatch.cache import tiers
from ocrwatch.executors import base
from ocrwatch.executors.http_ocr.presets import base as presets
from ocrwatch.recognise import engines
from ocrwatch.render import registry
from tests.documentation import ROOT


@pytest.mark.parametrize("module", [engines, registry, tiers, base, presets], ids=lambda module: module.GROUP)
def test_built_in_parts_are_entry_points(module: ModuleType) -> None:
    """pyproject.toml and the module that finds them name the same objects."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["entry-points"][module.GROUP] == module._BUILT_IN


def test_a_search_without_memory_is_no_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user would be told to install what is there; and the next search finds it."""

    def refused(_folder: Any) -> list[str]:
        raise MemoryError

    plugins.forget()
    with monkeypatch.context() as patch:
        patch.setattr(os, "listdir", refused)
        with pytest.raises(MemoryError):
            plugins.find(engines.GROUP, {}, "pytesseract")
    assert plugins.find(engines.GROUP, {}, "pytesseract") is not None
    assert plugins.find(engines.GROUP, {}, "no-such-engine") is None
