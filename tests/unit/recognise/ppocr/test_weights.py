"""Where the networks are, which languages they read, and what is said if there are none."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, PackagePath
from pathlib import Path

import pytest

from ocrwatch.errors import EnvironmentFault, UsageError
from ocrwatch.recognise.ppocr import weights as module
from ocrwatch.recognise.ppocr.weights import (
    ANY_LAYOUT,
    BETTER,
    CHINESE,
    LATIN,
    ONE_LINE,
    check_languages,
    is_installed,
    unknown_languages,
    weights,
)

EXTRA = "ocrwatch[rapidocr]"
NEEDS_IT = pytest.mark.skipif(not is_installed(), reason="rapidocr is not installed")


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    """Forget what was found, before and after."""
    weights.cache_clear()
    yield
    weights.cache_clear()


def without(package: str) -> Callable[[str], str]:
    """Return what gives the versions of packages on a machine without one of them."""

    def version(name: str) -> str:
        if name == package:
            raise PackageNotFoundError(name)
        return "3.10.0"

    return version


@pytest.mark.parametrize(
    ("languages", "unknown"),
    [
        (("eng",), ()),
        (("chi_sim", "eng"), ()),
        (("deu", "fra", "jpn", "script/Latin", "script/HanS"), ()),
        (("ell",), ("ell",)),
        (("eng", "rus", "deu", "frk"), ("rus", "frk")),
        (("vie",), ("vie",)),
        (("chi_sim_vert",), ("chi_sim_vert",)),
        (("script/Cyrillic", "kor"), ("script/Cyrillic", "kor")),
    ],
)
def test_languages_in_other_scripts_are_unknown(languages: tuple[str, ...], unknown: tuple[str, ...]) -> None:
    """Languages that it does not read are named in the order of the recipe."""
    assert unknown_languages(languages) == unknown


def test_the_sets_of_languages_and_layouts_fit() -> None:
    """No language is in both sets, those it reads better are read, and no mode is for a page and for a line."""
    assert not CHINESE & LATIN
    assert BETTER <= CHINESE | LATIN
    assert not ANY_LAYOUT & ONE_LINE
    assert {0, 2, 5, 9}.isdisjoint(ANY_LAYOUT | ONE_LINE)


def test_a_wrong_language_is_said_with_all_that_are_right() -> None:
    """The error names the languages it does not read, those it does in order, and what to set."""
    check_languages(("eng", "chi_tra"))
    with pytest.raises(UsageError) as caught:
        check_languages(("eng", "ell", "rus"))
    message, remedy = caught.value.message, caught.value.remedy
    beginning, known = message.split("; it supports ")
    assert beginning == "the engine rapidocr does not support ell, rus"
    assert known.split(", ") == sorted(CHINESE | LATIN)
    assert remedy == "set ocr.engine to tesserocr for scans in other languages"


@pytest.mark.parametrize("package", ["rapidocr", "onnxruntime"])
def test_a_package_that_is_missing_is_named_with_the_extra(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one of the two packages, the error names it and the extra that brings both."""
    monkeypatch.setattr(module, "version", without(package))
    monkeypatch.setattr(module, "files", lambda _: [])
    with pytest.raises(EnvironmentFault) as caught:
        weights()
    assert caught.value.message == f"the Python package {package} is not installed"
    assert EXTRA in caught.value.remedy


@pytest.mark.parametrize("missing", [(), ("rapidocr",), ("onnxruntime",), ("rapidocr", "onnxruntime")])
def test_both_packages_have_to_be_there(missing: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """It is installed only if the networks and what runs them are."""
    monkeypatch.setattr(module, "find_spec", lambda name: None if name in missing else object())
    assert is_installed() == (not missing)


def test_whether_it_is_installed_is_told_without_importing_it() -> None:
    """The parent process asks it, which loads neither package."""
    code = (
        "import sys\nfrom ocrwatch.recognise.ppocr.weights import is_installed, weights\nis_installed()\n"
        "try:\n    weights()\nexcept Exception:\n    pass\n"
        "print(*sorted({'onnxruntime', 'rapidocr', 'numpy', 'cv2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


class Wheel:
    """The files of an installed package."""

    def __init__(self, folder: Path, *names: str) -> None:
        self.folder = folder
        self.files = [PackagePath(name) for name in names]
        for each in self.files:
            each.dist = self  # type: ignore[assignment]

    def locate_file(self, path: object) -> Path:
        """Return where a file is."""
        return self.folder / str(path)


def installed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Install a package with these files."""
    monkeypatch.setattr(module, "version", without(""))
    monkeypatch.setattr(module, "files", lambda _: Wheel(Path("/opt/site"), *names).files if names else None)


@pytest.mark.parametrize(
    "names",
    [
        (),
        ("rapidocr/models/readme.md",),
        ("rapidocr/models/PP_det_small.onnx",),
        ("rapidocr/models/PP_rec_small.onnx", "rapidocr/models/PP_cls.onnx"),
        ("rapidocr/models/PP_det_small.pth", "rapidocr/models/PP_rec_small.pth"),
    ],
)
def test_a_package_without_the_networks_is_said(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """A version of the package that has other files is named, with those that are missing and what to install."""
    installed(monkeypatch, *names)
    with pytest.raises(EnvironmentFault) as caught:
        weights()
    assert caught.value.message == "rapidocr 3.10.0 does not contain the networks *_det_small.onnx and *_rec_small.onnx"
    assert "pip install 'rapidocr>=" in caught.value.remedy


def test_the_newest_networks_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of networks with several names, the last in the alphabet are taken, in whatever order they are listed."""
    names = [f"rapidocr/models/ch_PP-OCRv{number}_{what}_small.onnx" for number in (5, 6, 4) for what in ("rec", "det")]
    installed(monkeypatch, *names, "rapidocr/models/z_PP-OCRv7_det_mobile.onnx")
    found = weights()
    assert found.detection == Path("/opt/site/rapidocr/models/ch_PP-OCRv6_det_small.onnx")
    assert found.recognition == Path("/opt/site/rapidocr/models/ch_PP-OCRv6_rec_small.onnx")
    assert found.version == "3.10.0"


@NEEDS_IT
def test_the_installed_networks_are_found() -> None:
    """Both files of the installed package exist, and its version is told."""
    found = weights()
    assert found.detection.is_file()
    assert found.recognition.is_file()
    assert found.version == importlib.metadata.version("rapidocr")


@NEEDS_IT
@pytest.mark.parametrize("name", ["detection", "recognition"])
def test_networks_that_cannot_be_loaded_are_the_environments_fault(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A damaged file is named, with what to do about it."""
    from ocrwatch.recognise.ppocr import networks

    damaged = tmp_path / "damaged.onnx"
    damaged.write_bytes(b"rubbish")
    found = weights()
    paths = {"detection": found.detection, "recognition": found.recognition, name: damaged}
    monkeypatch.setattr(networks, "weights", lambda: module.Weights(version="3.10.0", **paths))
    with pytest.raises(EnvironmentFault, match=r"networks of rapidocr cannot be loaded.*pip install --force-reinstall"):
        networks.networks.__wrapped__()
