"""What ocrwatch itself adds to its groups of entry points is found like other packages' parts."""

from __future__ import annotations

import tomllib
from types import ModuleType

import pytest

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
