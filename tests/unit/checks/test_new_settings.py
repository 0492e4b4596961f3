"""Valid settings are compared with what is installed, before a start or a reload."""

from __future__ import annotations

import pytest

from ocrwatch.checks.new_settings import check_parts
from ocrwatch.errors import UsageError
from ocrwatch.settings import Cache, Events, Settings, Workers


def test_parts_that_are_installed_are_fine() -> None:
    """The defaults name nothing else; an unused cache may have any levels."""
    check_parts(Settings())
    check_parts(Settings(cache=Cache(enabled=False, levels=("memroy",))))


@pytest.mark.parametrize(
    ("settings", "remedy"),
    [
        (Settings(cache=Cache(levels=("memory", "dsik"))), "set cache.levels to some of: disk, memory"),
        (Settings(events=Events(listeners=("nobody",))), "events.listeners"),
        (Settings(workers=Workers(executor="lcoal")), "set workers.executor to one of: "),
    ],
)
def test_a_part_that_is_not_installed_is_an_error(settings: Settings, remedy: str) -> None:
    """A start would be refused for the same reason."""
    with pytest.raises(UsageError) as caught:
        check_parts(settings)
    assert remedy in caught.value.remedy
