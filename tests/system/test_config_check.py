"""``ocrwatch config check``: before a start or a reload, it says what either would say."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.daemon_process import run_ocrwatch


def test_right_settings_are_said_to_be_right(tmp_path: Path) -> None:
    """The sentence names the file, and no folder is made."""
    checked = run_ocrwatch(tmp_path, "config", "check", config="[settle]\nstable_for = '1s'\n")
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout == f"The settings in {tmp_path / 'ocrwatch.toml'} are valid\n"
    assert [path.name for path in tmp_path.iterdir()] == ["ocrwatch.toml"]


@pytest.mark.parametrize(
    ("config", "code", "said"),
    [
        ("[ocr\n", 2, "not valid TOML"),
        ('[settle]\nstable_fro = "1s"\n', 2, "did you mean settle.stable_for?"),
        ('[output]\ngroup = "no-such-group"\n', 2, "no-such-group"),
        ('[ocr]\nvariables = { no_such_variable = "1" }\n', 2, "no_such_variable"),
        ('[ocr]\nlanguages = ["isl"]\n', 3, "apt-get install tesseract-ocr-isl"),
        ('[hooks]\nbatch = ["/no/such/program"]\n', 3, "/no/such/program"),
        ('[cache]\nlevels = ["memroy"]\n', 2, "set cache.levels to some of: disk, memory"),
        ('[events]\nlisteners = ["nobody"]\n', 2, "nobody"),
        ('[workers]\nexecutor = "lcoal"\n', 2, "set workers.executor to one of"),
        ('outbox = "inbox"\n', 2, "choose folders side by side"),
    ],
)
def test_wrong_settings_are_one_sentence(tmp_path: Path, config: str, code: int, said: str) -> None:
    """Whatever a start or a reload would refuse, it says in one line what is wrong, and the code says so too."""
    checked = run_ocrwatch(tmp_path, "config", "check", config=config)
    assert (checked.returncode, checked.stdout) == (code, "")
    assert checked.stderr.startswith("ocrwatch: ")
    assert said in checked.stderr
    assert checked.stderr.count("\n") == 1
