"""Options of documents: what is said of wrong ones, how they are shown, and what a reload does with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.documents.grouping import Grouping
from ocrwatch.documents.stack import StackFacts, facts_of
from ocrwatch.errors import UsageError
from ocrwatch.settings import Group, Settings
from ocrwatch.settings.load import load
from ocrwatch.settings.reloadable import changes
from ocrwatch.settings.render import show
from tests.unit.documents.test_grouping import Coming

PROFILE = '[[profiles]]\nmatch = "**"\n[profiles.group]\n'


def write(path: Path, text: str) -> Path:
    """Write a file that root accepts too."""
    path.write_text(text, encoding="utf-8")
    path.chmod(0o644)
    return path


def grouped(**options: Any) -> Settings:
    """Make settings with one profile, for all scans."""
    return Settings.model_validate({"profiles": [{"match": "**", "group": options}]})


def facts(settings: Settings) -> StackFacts:
    """Return the facts of the stack that a page begins."""
    return facts_of("in/a_1.jpg", settings.for_path("in/a_1.jpg"), ("txt",), None)


@pytest.mark.parametrize(
    ("options", "message", "remedy"),
    [
        ('by = "nmae"', 'profiles[0].group.by = "nmae" is not valid', "did you mean name?"),
        ('by = "name"\nquite = "3s"', "no option profiles[0].group.quite", "did you mean profiles[0].group.quiet?"),
        ('by = "name"\nquiet = "0s"', 'profiles[0].group.quiet = "0s" is not valid', "500ms to 1d"),
        ('by = "name"\nblank = "skip"', 'profiles[0].group.blank = "skip" is not valid', "write 'keep', 'drop'"),
        (
            'quiet = "3s"',
            'profiles[0].group.by = "" is not valid',
            "write name, folder, time or separator, or remove quiet",
        ),
        ('by = ""\nquiet = "3s"\nblank = "drop"', 'profiles[0].group.by = ""', "or remove blank and quiet"),
        ('by = "name"\nduplex = "turned"', 'profiles[0].group.duplex = "turned" is not valid', "'reversed' or 'same'"),
        ('by = "name"\nduplex_wait = "5m"', 'profiles[0].group.duplex = ""', "write reversed or same, or remove"),
    ],
)
def test_what_is_wrong_with_a_group(tmp_path: Path, options: str, message: str, remedy: str) -> None:
    """One sentence has the path of the option, another says what to do."""
    path = write(tmp_path / "my.toml", PROFILE + options)
    with pytest.raises(UsageError) as refused:
        load(path, {}, {})
    assert str(path) in refused.value.message
    assert message in refused.value.message
    assert remedy in refused.value.remedy


def test_stacks_of_an_older_ocrwatch_are_no_piles() -> None:
    """Their facts in the ledger say nothing of duplex."""
    now = facts(grouped(by="name"))
    older = {name: value for name, value in json.loads(now.to_json()).items() if not name.startswith("duplex")}
    found = StackFacts.from_json(json.dumps(older))
    assert (found.key, found.duplex) == (now.key, "")


def test_without_by_there_are_no_documents(tmp_path: Path) -> None:
    """An empty section says nothing, and neither does an empty by."""
    for options in ("", 'by = ""'):
        assert load(write(tmp_path / "my.toml", PROFILE + options), {}, {}).settings.for_path("a").group == Group()


def test_what_is_shown_gives_the_same_groups(tmp_path: Path) -> None:
    """The effective settings can be used as a file."""
    found = load(write(tmp_path / "my.toml", f'{PROFILE}by = "folder"\nquiet = "90s"\nblank = "split"'), {}, {})
    shown = show(found)
    assert 'group = { by = "folder", quiet = "90s", blank = "split" }' in shown
    assert load(write(tmp_path / "shown.toml", shown), {}, {}).settings == found.settings


def test_a_reload_takes_groups() -> None:
    """They are options of profiles, which a reload applies."""
    found = changes(grouped(by="name"), grouped(by="folder", quiet="5s"))
    assert (found.taken, found.kept) == (("profiles",), ())
    assert found.settings.for_path("a.jpg").group == Group(by="folder", quiet=5.0)


def test_a_stack_keeps_the_options_that_it_began_with() -> None:
    """New ones are for stacks that begin later."""
    before, after = facts(grouped(by="name", quiet="1m")), facts(grouped(by="name", quiet="5s", blank="drop"))
    grouping = Grouping()
    stack = grouping.join("in/a_1.jpg", before, 0.0)
    assert grouping.join("in/a_2.jpg", after, 1.0) is stack
    assert stack.facts == before
    assert grouping.due(120.0, Coming()) == []
    assert grouping.join("in/a_3.jpg", after, 121.0).facts == after
