"""``ocrwatch once`` starts no more workers than it needs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ocrwatch.commands.once import _with_workers_for
from ocrwatch.settings import Settings


@pytest.mark.parametrize(
    ("names", "count"), [(["a.jpg"], 1), (["a.jpg", "b.png"], 2), (["fax.TIF"], 3), (["sub/letter.pdf"], 3), ([], 1)]
)
def test_a_file_that_may_have_pages_has_all_workers(tmp_path: Path, names: list[str], count: int) -> None:
    """Its pages are read at the same time; of single images each needs one."""
    for name in names:
        place = tmp_path / "inbox" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x")
    (tmp_path / "inbox").mkdir(exist_ok=True)
    settings = Settings.model_validate({"inbox": tmp_path / "inbox", "workers": {"count": 3}})
    assert _with_workers_for(settings).workers.count == count
