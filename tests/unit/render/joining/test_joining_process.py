"""The process that joins: its answers, its exit codes, what it needs, and that it ends when it should."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ocrwatch.render.joining.base import Document, DocumentPage
from ocrwatch.render.joining.job import (
    MODULE,
    Fault,
    FaultKind,
    Joined,
    JoinJob,
    decode_answer,
    decode_job,
    encode_answer,
    encode_job,
)
from ocrwatch.render.joining.registry import JOINED
from tests.eventually import LONG
from tests.unit.render import made_tables
from tests.unit.render.joining.made_documents import FORMATS, document, joined, one_page, scan_of, text_page, written

COMMAND = [sys.executable, "-P", "-m", MODULE]
SECONDS = 60
"""Deadline of a process."""

_MEASURED = """
import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], close_fds=False)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)
sys.exit(done.returncode)
"""
"""A program that runs another and measures it: what a process of the tests starts counts their memory as its own."""

_STARTED = """
import subprocess, sys
child = subprocess.Popen(sys.argv[1:])
child.wait()
"""


def run(
    given: Document, formats: Sequence[str], descriptors: Sequence[int], command: Sequence[str] = COMMAND, **how: Any
) -> tuple[int, Joined, bytes]:
    """Return exit code, answer and standard error of the process."""
    done = subprocess.run(
        command,
        input=encode_job(JoinJob(given, tuple(zip(formats, descriptors, strict=True)))),
        capture_output=True,
        pass_fds=descriptors,
        timeout=SECONDS,
        check=False,
        **how,
    )
    assert done.stdout.count(b"\n") == 1
    return done.returncode, decode_answer(done.stdout), done.stderr


def fault_of(given: Document, name: str, path: str = "/dev/null", **how: Any) -> tuple[int, Fault]:
    """Return exit code and fault of a process that fails. It must not write to standard error."""
    descriptor = os.open(path, os.O_WRONLY)
    try:
        code, answer, stderr = run(given, [name], [descriptor], **how)
    finally:
        os.close(descriptor)
    assert stderr == b""
    assert not answer.files
    assert answer.fault is not None
    return code, answer.fault


def test_all_formats_at_once(tmp_path: Path) -> None:
    """The files have what the formats write, and the answer has their sizes and checksums."""
    given = document(written(tmp_path, [text_page("one"), None, text_page("three")]))
    targets = [tmp_path / f"joined.{JOINED[name].ending}" for name in FORMATS]
    descriptors = [os.open(target, os.O_CREAT | os.O_WRONLY, 0o600) for target in targets]
    code, answer, stderr = run(given, FORMATS, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    assert (code, stderr, answer.fault) == (0, b"", None)
    contents = [target.read_bytes() for target in targets]
    assert contents == [joined(given, name) for name in FORMATS]
    expected = [
        (name, len(data), hashlib.sha256(data).hexdigest()) for name, data in zip(FORMATS, contents, strict=True)
    ]
    assert list(answer.files) == expected


def test_jobs_carry_any_path() -> None:
    """Bytes that are not UTF-8 are kept; a job that is none is refused."""
    page = DocumentPage("sub/\udce9.jpg", None, {"txt": "/parts/\udcff.txt"})
    given = replace(document((page,)), name="\udce9\n", folder="\ud800")
    job = JoinJob(given, (("txt", 5),))
    assert decode_job(encode_job(job)) == job
    for data in (b"", b"{}", encode_job(job)[:-3], b'{"document": 1, "targets": []}'):
        with pytest.raises(ValueError):  # noqa: PT011 - of msgspec and json
            decode_job(data)


def test_answers_have_one_field() -> None:
    """Files or a fault, as JSON."""
    files = Joined((("txt", 3, "ab"),))
    fault = Joined(fault=Fault(FaultKind.PART, None, "gone", 7))
    assert json.loads(encode_answer(files)) == {"files": [["txt", 3, "ab"]]}
    assert json.loads(encode_answer(fault)) == {"fault": {"kind": "part", "errno": None, "message": "gone", "page": 7}}
    assert [decode_answer(encode_answer(each)) for each in (files, fault)] == [files, fault]


def test_sidecars_in_a_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    """They are found."""
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xe9"))
    folder.mkdir()
    target = os.open(tmp_path / "joined.txt", os.O_CREAT | os.O_WRONLY, 0o600)
    code, _, _ = run(document(written(folder, [text_page("one")])), ["txt"], [target])
    os.close(target)
    assert (code, (tmp_path / "joined.txt").read_bytes()) == (0, b"one\n")


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_is_the_environments_fault(tmp_path: Path, name: str) -> None:
    """Its number is in the answer."""
    # With a table: without one, nothing is written as CSV.
    code, fault = fault_of(document(written(tmp_path, [made_tables.PAGE])), name, "/dev/full")
    assert (code, fault.kind, fault.errno, fault.page) == (3, FaultKind.ENVIRONMENT, errno.ENOSPC, None)


def test_a_lack_of_memory_is_the_environments_fault(tmp_path: Path) -> None:
    """A limit of its own counts as well."""
    (page,) = written(tmp_path, [text_page("one")])
    os.truncate(page.sidecars["txt"], 4 << 30)
    limit = 1 << 30
    code, fault = fault_of(
        document([page]), "txt", preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    )
    assert (code, fault.kind, fault.errno) == (3, FaultKind.ENVIRONMENT, errno.ENOMEM)


def test_a_sidecar_that_may_not_be_read_is_the_environments_fault(tmp_path: Path) -> None:
    """What the system refuses is not the page's fault."""
    (page,) = written(tmp_path, [text_page("one")])
    page.sidecars["txt"] = f"/{'x' * 300}"
    code, fault = fault_of(document([page]), "txt")
    assert (code, fault.kind, fault.errno) == (3, FaultKind.ENVIRONMENT, errno.ENAMETOOLONG)


@pytest.mark.parametrize("name", FORMATS)
def test_a_damaged_sidecar_is_named(tmp_path: Path, name: str) -> None:
    """The answer has the page's number."""
    pages = written(tmp_path, [text_page("one"), text_page("two")])
    Path(pages[1].sidecars[name]).write_bytes(b"\xff")
    code, fault = fault_of(document(pages), name)
    assert (code, fault.kind, fault.page) == (4, FaultKind.PART, 2)


def test_a_bug_has_its_traceback(tmp_path: Path) -> None:
    """A format that cannot be joined, or a document without pages, is the daemon's mistake."""
    for given, name in ((document(written(tmp_path, [text_page("one")])), "explain"), (document(()), "txt")):
        code, fault = fault_of(given, name)
        assert (code, fault.kind) == (1, FaultKind.BUG)
        assert "Traceback" in fault.message


def _reading(command: Sequence[str]) -> tuple[subprocess.Popen[bytes], int, int]:
    """Start a command whose process reads its job by now, and return it and the tests' ends of its pipes."""
    theirs, ours = os.pipe()
    answer, written_by = os.pipe()
    process = subprocess.Popen(command, stdin=theirs, stdout=written_by)
    os.close(theirs)
    os.close(written_by)
    # More than a pipe holds: this returns when nearly all of it is read.
    os.write(ours, b" " * (1 << 20))
    return process, ours, answer


def _ends(answer: int) -> bool:
    """Return whether nothing has the other end of a pipe open soon, and nothing was written to it."""
    readable, _, _ = select.select([answer], [], [], LONG)
    return bool(readable) and os.read(answer, 1) == b""


def test_it_dies_with_its_parent() -> None:
    """Even if it waits for something else, which is still there."""
    parent, job, answer = _reading([sys.executable, "-c", _STARTED, *COMMAND])
    parent.kill()
    parent.wait(LONG)
    assert _ends(answer)
    os.close(job)
    os.close(answer)


def test_it_ends_by_a_signal_at_once() -> None:
    """Without an answer, and without a traceback."""
    process, job, answer = _reading(COMMAND)
    process.terminate()
    assert process.wait(LONG) == -signal.SIGTERM
    assert _ends(answer)
    os.close(job)
    os.close(answer)


def test_it_does_nothing_if_its_parent_is_gone(tmp_path: Path) -> None:
    """Nobody could take its answer."""
    target = tmp_path / "joined.txt"
    descriptor = os.open(target, os.O_CREAT | os.O_WRONLY, 0o600)
    given = document(written(tmp_path, [text_page("one")]))
    answer, written_by = os.pipe()
    os.close(answer)
    done = subprocess.run(
        COMMAND,
        input=encode_job(JoinJob(given, (("txt", descriptor),))),
        stdout=written_by,
        stderr=subprocess.PIPE,
        pass_fds=[descriptor],
        timeout=SECONDS,
        check=False,
    )
    os.close(written_by)
    os.close(descriptor)
    assert done.returncode != 0
    assert (done.stderr, target.read_bytes()) == (b"", b"")


@pytest.mark.slow
def test_memory_does_not_grow_with_the_pages(tmp_path: Path) -> None:
    """80 pages with 200 KB each take little more than 10; only what refers to each page is kept."""
    parts = tmp_path / "parts"
    parts.mkdir()
    # What follows a JPEG is part of it.
    scans = [scan_of() + number.to_bytes(2) * 100_000 for number in range(80)]
    texts = [replace(text_page(f"Page {at}"), tables=(made_tables.table_of(["a", f"b{at}"]),)) for at in range(80)]
    pages = [one_page(parts, each, f"sub/{at}.jpg", scans[at]) for at, each in enumerate(texts)]
    peaks = [_peak(document(pages[:count]), tmp_path) for count in (10, 80)]
    assert peaks[1] - peaks[0] < 6_000, "kilobytes"


def _peak(given: Document, folder: Path) -> int:
    """Return the most memory that the process has, in kilobytes, while it joins all formats."""
    descriptors = [os.open(folder / f"joined.{name}", os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600) for name in FORMATS]
    code, _, stderr = run(given, FORMATS, descriptors, [sys.executable, "-c", _MEASURED, *COMMAND])
    for descriptor in descriptors:
        os.close(descriptor)
    assert code == 0
    return int(stderr)
