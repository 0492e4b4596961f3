"""The process that splits a file is confined, and what befalls it costs one page, not the file or the daemon."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import pikepdf
import psutil
import pytest
from pikepdf import Array, Dictionary, Name, Pdf, Stream

from ocrwatch.cache.codec import unpack
from ocrwatch.errors import (
    Damaged,
    Encrypted,
    EnvironmentFault,
    InternalFault,
    OtherFormat,
    OutOfMemory,
    ScanFault,
    TimedOut,
    TooLarge,
    WorkerDied,
)
from ocrwatch.splitting.base import SplitLimits
from ocrwatch.splitting.messages import Written, decode_answer, encode
from ocrwatch.splitting.splitter import Splitter
from tests.images import pages
from tests.pdf_files import Sheet, made, text
from tests.waiting import until

T = TypeVar("T")

LIMITS = SplitLimits(max_memory=2 << 30, timeout=20.0)
THREE = pages(3)


class Splitting:
    """A file that is being split."""

    def __init__(self, folder: Path, content: bytes, limits: SplitLimits = LIMITS) -> None:
        self.source = folder / "file"
        self.source.write_bytes(content)
        self.folder = folder / "pages"
        self.folder.mkdir(exist_ok=True)
        self.splitter = Splitter(self.source, self.folder, "A-1", limits)

    def run(self, work: Callable[[Splitter], Awaitable[T]]) -> T:
        """Run what uses the splitter, and close it."""

        async def scenario() -> T:
            try:
                return await work(self.splitter)
            finally:
                await self.splitter.close()
                await self.splitter.close()

        before = children()
        try:
            return asyncio.run(scenario())
        finally:
            assert children() == before


def children() -> set[int]:
    """Return the processes that this one has started."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def child() -> psutil.Process:
    """Return the process that splits."""
    (found,) = [each for each in psutil.Process().children() if "ocrwatch.splitting" in each.cmdline()]
    return found


def test_pages_in_any_order(tmp_path: Path) -> None:
    """Each is a file that only this user can read, with the size and the hash that are told."""
    splitting = Splitting(tmp_path, THREE)

    async def work(splitter: Splitter) -> None:
        assert await splitter.open() == 3
        for number in (3, 1, 2, 3):
            page = await splitter.page(number)
            file = splitting.folder / page.name
            assert (page.number, page.name) == (number, f"A-1-{number}.tif")
            assert (page.size, page.sha256) == (file.stat().st_size, hashlib.sha256(file.read_bytes()).hexdigest())
            assert file.stat().st_mode & 0o777 == 0o600
        with pytest.raises(ValueError, match="no page 4"):
            await splitter.page(4)

    splitting.run(work)
    assert len(list(splitting.folder.iterdir())) == 3


def test_the_text_of_a_page_comes_with_it(tmp_path: Path) -> None:
    """As the cache has it."""
    splitting = Splitting(tmp_path, made([Sheet(text([(72, 700, "Words on a page")]))]))

    async def work(splitter: Splitter) -> bytes:
        assert await splitter.open() == 1
        return (await splitter.page(1)).packed

    assert unpack(splitting.run(work)).text == "Words on a page\n"


def test_the_process_is_confined(tmp_path: Path) -> None:
    """It has limits, leaves no core file, and no signal of a terminal or a reload ends it."""
    splitting = Splitting(tmp_path, THREE)

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        process = child()
        limits = {kind: process.rlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_CORE)}
        assert limits == {resource.RLIMIT_AS: LIMITS.max_memory, resource.RLIMIT_CORE: 0}
        assert process.rlimit(resource.RLIMIT_FSIZE)[0] < 2 << 30
        assert os.getsid(process.pid) == process.pid
        for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
            process.send_signal(number)
        await splitter.page(1)
        assert child() == process

    splitting.run(work)


def test_a_death_costs_one_page(tmp_path: Path) -> None:
    """The next page gets a new process."""
    splitting = Splitting(tmp_path, THREE)

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        child().send_signal(signal.SIGSEGV)
        with pytest.raises(WorkerDied, match="killed by SIGSEGV while taking page 1 out of its file; look at the file"):
            await splitter.page(1)
        assert (await splitter.page(2)).number == 2

    splitting.run(work)


def test_a_hang_costs_one_page(tmp_path: Path) -> None:
    """The process is killed when the time is over."""
    splitting = Splitting(tmp_path, THREE, SplitLimits(2 << 30, 0.3))

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        child().suspend()
        with pytest.raises(TimedOut, match=r"taking page 1 out of its file took longer than 0\.3 s"):
            await splitter.page(1)
        assert (await splitter.page(2)).number == 2

    splitting.run(work)


def laughs() -> bytes:
    """Return a PDF whose page is drawn by a billion parts."""
    with Pdf.open(io.BytesIO(made([Sheet("/X Do")]))) as pdf:
        box = Array([0, 0, 600, 800])
        part = pdf.make_indirect(Stream(pdf, b"0 0 9 9 re f", Type=Name.XObject, Subtype=Name.Form, BBox=box))
        for _ in range(9):
            inner = Dictionary(XObject=Dictionary(X=part))
            part = pdf.make_indirect(
                Stream(pdf, b"/X Do " * 10, Type=Name.XObject, Subtype=Name.Form, BBox=box, Resources=inner)
            )
        pdf.pages[0].obj.Resources = Dictionary(XObject=Dictionary(X=part))
        target = io.BytesIO()
        pdf.save(target)
    return target.getvalue()


def test_a_page_that_takes_for_ever_is_given_up(tmp_path: Path) -> None:
    """In the middle of pdfium."""
    splitting = Splitting(tmp_path, laughs(), SplitLimits(2 << 30, 0.5))

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        begun = time.monotonic()
        with pytest.raises(TimedOut):
            await splitter.page(1)
        assert time.monotonic() - begun < 5

    splitting.run(work)


@pytest.mark.slow
def test_a_page_that_takes_too_much_memory(tmp_path: Path) -> None:
    """It is the page's fault, and the others are split."""
    sheets = [Sheet("0 0 9 9 re f", (9_000, 9_000)), Sheet("")]
    splitting = Splitting(tmp_path, made(sheets), SplitLimits(650 << 20, 20.0))

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        with pytest.raises(OutOfMemory):
            await splitter.page(1)
        assert (await splitter.page(2)).name == "A-1-2.png"

    splitting.run(work)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"II*\0\0\0\0\0", Damaged),
        (b"%PDF-1.4\n", Damaged),
        (b"GIF89a", OtherFormat),
        (b"\xff\xd8\xff\xe0", OtherFormat),
        (pages(4), TooLarge),
        (made([Sheet("")], encryption=pikepdf.Encryption(user="u", owner="o")), Encrypted),
    ],
)
def test_a_file_that_cannot_be_split(tmp_path: Path, content: bytes, fault: type[ScanFault]) -> None:
    """Opening it says why, with a remedy."""
    splitting = Splitting(tmp_path, content, SplitLimits(2 << 30, 20.0, max_pages=3))
    with pytest.raises(fault) as raised:
        splitting.run(Splitter.open)
    assert raised.value.remedy


def test_files_that_are_not_there_are_the_environments_fault(tmp_path: Path) -> None:
    """Of the source as of the folder."""
    splitting = Splitting(tmp_path, THREE)
    splitting.folder.rmdir()
    with pytest.raises(EnvironmentFault, match="no such file"):
        splitting.run(Splitter.open)
    splitting.folder.mkdir()
    splitting.source.unlink()
    with pytest.raises(EnvironmentFault, match="cannot read"):
        splitting.run(Splitter.open)


def test_a_disk_that_refuses_is_the_environments_fault(tmp_path: Path) -> None:
    """The page is not missing: it can be asked for again, by the same process."""
    splitting = Splitting(tmp_path, THREE)
    name = splitting.folder / "A-1-1.tif"

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        # What stands there cannot be replaced.
        name.mkdir()
        process = child()
        with pytest.raises(EnvironmentFault, match="cannot write the images of pages"):
            await splitter.page(1)
        name.rmdir()
        assert (await splitter.page(1)).number == 1
        assert child() == process

    splitting.run(work)


def test_an_image_takes_the_place_of_an_earlier_one(tmp_path: Path) -> None:
    """And not of what a link points to."""
    splitting = Splitting(tmp_path, THREE)
    other = tmp_path / "other"
    other.write_bytes(b"mine")
    (splitting.folder / "A-1-1.tif").symlink_to(other)
    (splitting.folder / "A-1-2.tif").write_bytes(b"of an earlier run")

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        for number in (1, 2):
            page = await splitter.page(number)
            assert (splitting.folder / page.name).stat(follow_symlinks=False).st_size == page.size > 1000

    splitting.run(work)
    assert other.read_bytes() == b"mine"


_ENDLESS = """
import asyncio, sys
from pathlib import Path
from ocrwatch.splitting.base import SplitLimits
from ocrwatch.splitting.splitter import Splitter

async def main():
    # Without a reference to it, Python 3.13 closes its channel.
    splitter = Splitter(Path(sys.argv[1]), Path(sys.argv[2]), "A", SplitLimits(0, 60.0))
    await splitter.open()
    print(flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_it_ends_with_its_parent(tmp_path: Path) -> None:
    """However that ends, and also if the process does not answer."""
    splitting = Splitting(tmp_path, THREE)
    command = [sys.executable, "-c", _ENDLESS, str(splitting.source), str(splitting.folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        (process,) = psutil.Process(parent.pid).children()
        process.suspend()
        parent.kill()
    until(lambda: not process.is_running() or process.status() == psutil.STATUS_ZOMBIE, what="it has ended")


def test_a_cancelled_page_leaves_no_answer_behind(tmp_path: Path) -> None:
    """The next one is not taken for it."""
    splitting = Splitting(tmp_path, THREE)

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        child().suspend()
        asking = asyncio.ensure_future(splitter.page(1))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert (await splitter.page(2)).number == 2

    splitting.run(work)


def test_a_cancelled_start_leaves_no_process(tmp_path: Path) -> None:
    """It is killed as soon as it has started."""
    splitting = Splitting(tmp_path, THREE)
    before = children()

    async def work() -> None:
        opening = asyncio.ensure_future(splitting.splitter.open())
        await asyncio.sleep(0)
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening

    asyncio.run(work())
    until(lambda: not any(each.name.startswith("splitter") for each in threading.enumerate()), what="its thread ends")
    assert children() == before


def test_a_process_that_was_taken_over_says_nothing_that_is_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An answer to something else, or none at all, is a fault; the name of an image is never the process's."""
    splitting = Splitting(tmp_path, THREE)

    async def answered(self: object, message: bytes) -> bytes:
        return lines.pop(0)

    lines = [
        encode(Written("../../x", 1, "0", b"", ())),
        b'{"type":"opened","pages":3}\n',
    ]

    async def work(splitter: Splitter) -> None:
        await splitter.open()
        with monkeypatch.context() as patch:
            patch.setattr("ocrwatch.splitting.process.SplitProcess.ask", answered)
            with pytest.raises(InternalFault, match="invalid data"):
                await splitter.page(1)
        with monkeypatch.context() as patch:
            await splitter.page(1)
            lines[:] = [b"\xff not JSON\n"]
            patch.setattr("ocrwatch.splitting.process.SplitProcess.ask", answered)
            with pytest.raises(InternalFault, match="invalid data"):
                await splitter.page(1)

    splitting.run(work)


def test_the_event_loop_goes_on(tmp_path: Path) -> None:
    """While a process starts and splits, nothing waits for it."""
    splitting = Splitting(tmp_path, made([Sheet(text([(72, 700, "Words")])) for _ in range(3)]))
    longest = 0.0

    async def watch() -> None:
        nonlocal longest
        last = time.monotonic()
        while True:
            await asyncio.sleep(0)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()

    async def work(splitter: Splitter) -> None:
        watching = asyncio.ensure_future(watch())
        for number in range(1, await splitter.open() + 1):
            await splitter.page(number)
        watching.cancel()

    splitting.run(work)
    assert longest < 0.5


def peak() -> int:
    """Return the peak memory of the process that splits, in KB."""
    status = Path(f"/proc/{child().pid}/status").read_text(encoding="ascii")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))


@pytest.mark.slow
@pytest.mark.parametrize(
    "make", [pages, lambda count: made(Sheet(text([(9, 50, f"page {at}")]), (90, 90)) for at in range(count))]
)
def test_memory_does_not_grow_with_the_number_of_pages(tmp_path: Path, make: Callable[[int], bytes]) -> None:
    """One page is in memory at a time."""

    def peak_of(count: int) -> int:
        async def work(splitter: Splitter) -> int:
            for number in range(1, await splitter.open() + 1):
                await splitter.page(number)
            return peak()

        return Splitting(tmp_path, make(count)).run(work)

    # Of pages that took 100 KB each, 12 MB would be left.
    assert peak_of(140) < peak_of(20) + 8_000


def test_answers_are_checked() -> None:
    """They may be anything."""
    for line in (b"", b"{}", b"[]", b'{"type":"written"}', b'{"type":"other"}', b'{"type":"opened","pages":"3"}'):
        with pytest.raises(ValueError, match=r".+"):
            decode_answer(line)
