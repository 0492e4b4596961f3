"""Users who may not read ocrwatch's files are told how they become members of the group that may."""

from __future__ import annotations

import grp
import os
import pwd
from pathlib import Path

import pytest

from ocrwatch.errors import ASK_ITS_USER, EnvironmentFault
from ocrwatch.group_membership import remedy_for_reader
from ocrwatch.ledger import Ledger, LedgerReader
from ocrwatch.settings.load import load
from ocrwatch.storage.lock import FolderLock, holder_of
from tests.privileges import NOBODY, reachable_folder, unprivileged

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to a group that it is not in")


def _group() -> grp.struct_group:
    """Return a group that is neither root's nor that of the user without privileges."""
    return next(group for group in grp.getgrall() if group.gr_gid not in {0, NOBODY, *os.getgroups()})


def _give(path: Path, mode: int) -> str:
    """Give a file or folder to that group, and return what an outsider has to do."""
    os.chown(path, 0, _group().gr_gid)
    path.chmod(mode)
    return f"run: sudo usermod -aG {_group().gr_name} {pwd.getpwuid(NOBODY).pw_name}, and log out and in again"


def test_every_reader_of_closed_files_is_told() -> None:
    """The settings file, the state folder's lock and the ledger name the same command."""
    with reachable_folder() as folder:
        settings, state = folder / "ocrwatch.toml", folder / "state"
        settings.write_text("")
        state.mkdir()
        Ledger(state).close()
        FolderLock(state, "state folder").release()
        expected = _give(settings, 0o640)
        _give(state, 0o750)
        with unprivileged():
            with pytest.raises(EnvironmentFault) as said:
                load(settings, {}, {})
            assert said.value.remedy == expected
            with pytest.raises(EnvironmentFault) as refused:
                holder_of(state)
            assert refused.value.remedy == expected
            with pytest.raises(EnvironmentFault) as closed, LedgerReader(state, alone=True):
                pass
            assert closed.value.remedy == expected


@pytest.mark.parametrize("mode", [0o700, 0o710])
def test_no_group_is_named_that_would_not_help(mode: int) -> None:
    """A folder that only its owner may read is no matter of groups."""
    with reachable_folder() as folder:
        _give(folder, mode)
        with unprivileged():
            assert remedy_for_reader(folder / "file") == ASK_ITS_USER


def test_the_group_of_root_is_never_advised() -> None:
    """Who joined it could do more than read scans."""
    with reachable_folder() as folder:
        folder.chmod(0o750)
        with unprivileged():
            assert remedy_for_reader(folder / "file") == ASK_ITS_USER


def test_a_new_member_is_told_to_log_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A login has the groups of its beginning: who was added since is told so."""
    group = _group()
    member = grp.struct_group((group.gr_name, "x", group.gr_gid, [pwd.getpwuid(NOBODY).pw_name]))
    monkeypatch.setattr(grp, "getgrgid", lambda _: member)
    with reachable_folder() as folder:
        _give(folder, 0o750)
        with unprivileged():
            assert remedy_for_reader(folder / "file").startswith("log out and in again: ")


def test_a_program_is_not_made_a_member(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service's own user that may not read its settings needs other permissions, not another group."""
    program = pwd.getpwnam("daemon")
    monkeypatch.setattr(pwd, "getpwuid", lambda _: program)
    with reachable_folder() as folder:
        _give(folder, 0o750)
        with unprivileged():
            assert remedy_for_reader(folder / "file", "let it") == "let it"
