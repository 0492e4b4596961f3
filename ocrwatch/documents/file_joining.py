"""Joins the pages of one file, such as a PDF: its pages are read like scans, and delivered as one set of sidecars.

The sidecars of its pages are kept in the state folder until all are read, and what they are joined to until the file
is delivered. Neither is needed after a restart, which reads the file again, so that nothing waits for the disk.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from ocrwatch.delivery import sidecars
from ocrwatch.delivery.durability import NO_SYNC
from ocrwatch.documents.file_summary import ReadPage
from ocrwatch.documents.joiner import Joiner, PartLost
from ocrwatch.errors import EnvironmentFault, InternalFault, environment_fault
from ocrwatch.render.base import RenderedPage, StoredSidecar
from ocrwatch.render.joining.base import Document, DocumentPage, Missing, SourceFile
from ocrwatch.render.registry import load
from ocrwatch.storage.files import folder, folder_if_there, remove, split, status_of

GROUPED_BY: Final = "file"
"""``grouped_by`` of a document whose pages are in one file."""

_PRIVATE: Final = 0o600
"""Permissions, like those of all of the state folder."""


class FileJoining:
    """Keeps the sidecars of the pages of files, and joins them.

    A file has a name of its own there, the same in all calls: ``TOKEN-ROW``. Blocks. Raises :class:`EnvironmentFault`
    if the state folder refuses.
    """

    def __init__(self, folder: Path, joiner: Joiner) -> None:
        """``folder`` is a folder in the state folder, made if missing."""
        self.folder = self._folder = folder.absolute()
        self._joiner = joiner

    def prepare(self) -> None:
        """Make the folder if it is missing: someone may have cleared the state folder."""
        with self._refusing(), self._opened():
            pass

    def keep(self, name: str, number: int, page: RenderedPage, formats: tuple[str, ...]) -> ReadPage:
        """Write those sidecars of page ``number`` that will be joined; those of an earlier reading are replaced."""
        wanted = {load(each).ending for each in formats}
        parts = {ending: content for ending, content in page.sidecars if ending in wanted}
        contents = [(_part(name, number, ending), content) for ending, content in parts.items()]
        with self._refusing():
            sidecars.stage(self._folder.parent, self._folder.name, contents, mode=_PRIVATE, disk=NO_SYNC)
        return ReadPage(number, page.summary, page.fields, tuple(parts))

    def join(
        self,
        name: str,
        source: SourceFile,
        review_reasons: tuple[str, ...],
        pages: Sequence[ReadPage],
        formats: tuple[str, ...],
        profile: str = "",
    ) -> tuple[tuple[str, StoredSidecar], ...]:
        """Join the pages of a file, which are all its pages in their order; ``profile`` is that of the file.

        Returns ending and file of each of the ``formats``, in their order; the files stay until :meth:`discard`.
        Raises :class:`InternalFault` if what was kept of a page cannot be joined.
        """
        endings = {each: load(each).ending for each in formats}
        document = Document(
            os.path.splitext(split(source.path)[1])[0],
            split(source.path)[0],
            GROUPED_BY,
            review_reasons,
            tuple(self._page(name, source, page, endings) for page in pages),
            (),
            source,
            profile,
        )
        names = {each: f"{name}.{ending}" for each, ending in endings.items()}
        try:
            with self._refusing(), self._opened() as directory:
                written = self._written(document, directory, list(names.items()))
        except PartLost as lost:
            raise self._fault_of(lost, document, formats) from lost
        return tuple(
            (endings[each], StoredSidecar(str(self._folder / names[each]), *written[each])) for each in formats
        )

    def _written(self, document: Document, directory: int, files: list[tuple[str, str]]) -> dict[str, tuple[int, str]]:
        """Write the files; with images of all pages if taking pages from the file ends the process that does it."""
        try:
            return self._joiner.write(document, directory, files, mode=_PRIVATE)
        except (InternalFault, EnvironmentFault, OSError):
            if document.source is None or not document.source.copy:
                raise
        safe = replace(document, source=replace(document.source, copy=""))
        return self._joiner.write(safe, directory, files, mode=_PRIVATE)

    def discard(self, name: str) -> None:
        """Remove all that was kept of a file."""
        self._remove_beginning(f"{name}-", f"{name}.")

    def discard_all(self) -> None:
        """Remove what an earlier run has left of all files."""
        self._remove_beginning("")

    def _page(self, name: str, source: SourceFile, page: ReadPage, endings: Mapping[str, str]) -> DocumentPage:
        if page.is_missing:
            return DocumentPage(source.path, source.sha256, {}, Missing(page.code, page.reason))
        kept = {each: ending for each, ending in endings.items() if ending in page.parts}
        parts = {each: str(self._folder / _part(name, page.number, ending)) for each, ending in kept.items()}
        return DocumentPage(source.path, source.sha256, parts)

    def _fault_of(
        self, lost: PartLost, document: Document, formats: tuple[str, ...]
    ) -> EnvironmentFault | InternalFault:
        """Return whose fault it is that a page's sidecar cannot be joined: nothing but ocrwatch changes it."""
        page = document.pages[lost.page - 1]
        what = f"page {lost.page} of {page.name}"
        with self._refusing(), self._opened() as directory:
            there = [part for part in page.sidecars.values() if status_of(directory, Path(part).name) is not None]
        if len(there) == len(formats):
            return InternalFault(f"a bug in ocrwatch: {what} cannot be joined: {lost.reason}", "please report it")
        return EnvironmentFault(
            f"the text of {what} is missing in {self._folder} ({lost.reason})",
            "keep other programs out of the state folder; the file is read again",
        )

    def _remove_beginning(self, *beginnings: str) -> None:
        with self._refusing(), folder_if_there(self._folder.parent, self._folder.name) as directory:
            if directory is None:
                return
            with os.scandir(directory) as entries:
                names = [entry.name for entry in entries if entry.name.startswith(beginnings)]
            for name in names:
                remove(directory, name)

    def _opened(self) -> contextlib.AbstractContextManager[int]:
        return folder(self._folder.parent, self._folder.name, create=True)

    @contextlib.contextmanager
    def _refusing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise environment_fault(error, f"cannot work in the folder {self._folder}") from error


def _part(name: str, number: int, ending: str) -> str:
    return f"{name}-{number}.{ending}"
