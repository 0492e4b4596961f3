"""Which folders may not be used together."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from ocrwatch.errors import UsageError
from ocrwatch.settings import Settings
from ocrwatch.settings.load import check_folders


def folders(root: Path, **others: str) -> Settings:
    """Return settings with all folders side by side in ``root``, except ``others``."""
    names = ("inbox", "outbox", "archive", "quarantine", "state")
    return Settings.model_validate({name: root / others.get(name, name) for name in names})


def test_folders_side_by_side_are_fine(tmp_path: Path) -> None:
    """The quickstart, with its virtual environment beside the inbox, is accepted."""
    check_folders(folders(tmp_path), {"PATH": f"{tmp_path}/.venv/bin:/usr/bin"})
    check_folders(folders(tmp_path, archive="outbox"), {"PATH": "relative::/usr/bin"})
    check_folders(folders(tmp_path, outbox="state/outbox"), {})


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"outbox": "inbox"}, ("inbox", "outbox")),
        ({"outbox": "inbox/out"}, ("inbox", "outbox")),
        ({"inbox": "archive/in"}, ("inbox", "archive")),
        ({"quarantine": "inbox/../inbox/bad"}, ("inbox", "quarantine")),
        ({"state": "inbox/.state"}, ("inbox", "state")),
        ({"quarantine": "archive"}, ("quarantine", "archive")),
        ({"quarantine": "outbox/bad"}, ("quarantine", "outbox")),
        ({"state": "outbox/state"}, ("state", "outbox")),
        ({"state": "archive"}, ("state", "archive")),
    ],
)
def test_folders_within_one_another_are_refused(
    tmp_path: Path, changed: dict[str, str], named: tuple[str, str]
) -> None:
    """Output in the inbox would be read again; the error names both folders."""
    with pytest.raises(UsageError, match=f"the {named[0]} folder .* the {named[1]} folder "):
        check_folders(folders(tmp_path, **changed), {})


def test_links_do_not_hide_an_overlap(tmp_path: Path) -> None:
    """Folders are compared after their links are resolved."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "link").symlink_to("inbox")
    with pytest.raises(UsageError, match="inbox"):
        check_folders(folders(tmp_path, outbox="link/out"), {})


def test_folders_with_programs_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who may drop scans may replace programs."""
    with pytest.raises(UsageError, match=r"inbox .* programs"):
        check_folders(folders(tmp_path), {"PATH": f"{tmp_path}/inbox/bin"})
    with pytest.raises(UsageError, match=r"outbox .* programs"):
        check_folders(folders(tmp_path), {"PATH": f"{tmp_path}/outbox"})
    for prefix in ("archive/venv", "."):
        monkeypatch.setattr(sys, "prefix", str(tmp_path / prefix))
        with pytest.raises(UsageError, match="programs"):
            check_folders(folders(tmp_path), {})
