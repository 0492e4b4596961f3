"""Lists of the fields of all scans in a folder of the outbox: ``fields.csv``, for people who use a spreadsheet.

A scan's line is staged with its sidecars, since the ledger may not contain values, and appended when nothing else is
left to do: only then is the scan's name in the outbox final. Appending is idempotent. The staged line is removed when
the list is durable, so a missing one was appended; if an earlier attempt may have been interrupted, the lists are
searched for the line first.

A person may have a list open, sort it, or save it in another notation. It is only ever appended to, and only if it
begins with exactly the header that ocrwatch writes; otherwise the line goes to the next list, ``fields-2.csv``.
"""

from __future__ import annotations

import csv
import errno
import io
import json
import os
import re
import stat
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from ocrwatch.delivery.durability import Disk
from ocrwatch.document import FieldSummary
from ocrwatch.errors import EnvironmentFault
from ocrwatch.log import printable
from ocrwatch.recipe import FieldRule
from ocrwatch.render.csv import harmless
from ocrwatch.storage.files import folder_if_there, if_offered, open_regular, remove, status_of

STAGED_ENDING: Final = "fields-line"
"""Ending of a staged line in its temporary name; no format may have it."""

_LIST: Final = re.compile(r"fields(?:-[1-9]\d*)?\.csv")
_MOST_LISTS: Final = 1000

# Read and write: rclone without a cache of writes truncates a file that is opened only for writing, and refuses this.
# Without O_NONBLOCK, a FIFO in the place of the list could block.
_APPEND: Final = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_NOT_OURS: Final = frozenset(
    {errno.EACCES, errno.EPERM, errno.EBUSY, errno.ETXTBSY, errno.ELOOP, errno.EISDIR, errno.ENXIO, errno.EINVAL}
)
"""Errors of opening a list that others have there, or have open: SMB servers answer EACCES, EBUSY or ETXTBSY."""

_NO_LIST: Final = frozenset({errno.ENOENT, errno.ELOOP, errno.EINVAL, errno.ENXIO, errno.EACCES})
"""Errors of reading what cannot be a list that was appended to."""

_TAIL: Final = 1 << 16
"""Bytes at the end of a list in which the beginning of its last line is searched."""

_MOST_READ: Final = 1 << 26
"""Bytes of a list in another notation that are searched for a line."""

_BYTE_ORDER_MARK: Final = "\ufeff".encode()
_BYTE_ORDER_MARKS_16: Final = (b"\xff\xfe", b"\xfe\xff")
_DELIMITERS: Final = ",;\t|"


@dataclass(frozen=True, slots=True)
class ListedFields:
    """A scan's line in a list, without the scan's name."""

    columns: tuple[str, ...]
    cells: tuple[str, ...]

    def to_json(self) -> bytes:
        """Render for staging."""
        return json.dumps(asdict(self)).encode("ascii")

    @classmethod
    def from_json(cls, content: bytes) -> ListedFields:
        """Read what :meth:`to_json` wrote; raises ``ValueError``, ``KeyError`` or ``TypeError``."""
        found = json.loads(content)
        return cls(tuple(map(str, found["columns"])), tuple(map(str, found["cells"])))

    @property
    def header(self) -> bytes:
        """The first line of its list. The byte order mark tells Excel that the text is UTF-8."""
        return _BYTE_ORDER_MARK + _line(("file", *self.columns))

    def named(self, file: str) -> tuple[str, ...]:
        """Return all cells, for a scan of this name."""
        return (harmless(printable(file)), *self.cells)


@dataclass(frozen=True, slots=True)
class StagedLine:
    """A staged line, and the scan's name in the list."""

    temporary: str
    file: str


def listed_fields(rules: Sequence[FieldRule], fields: Sequence[FieldSummary] | None, read_at: float) -> ListedFields:
    """Return the line of a page; values are empty if fields were not looked for.

    ``read_at`` is in seconds since 1970. It is written with milliseconds: with the name, it distinguishes the line.
    """
    found = {field.name: field for field in fields or ()}
    columns, cells = ["read_at"], [datetime.fromtimestamp(read_at, UTC).isoformat(timespec="milliseconds")]
    for rule in rules:
        field = found.get(rule.name)
        columns += [rule.name, f"{rule.name}_standing"]
        # In one line, so that a list that was cut off can be continued.
        cells += ["", ""] if field is None else [harmless(" ".join(field.value.split())), field.standing.value]
    return ListedFields(tuple(columns), tuple(cells))


def is_list(name: str) -> bool:
    """Return whether a file in the outbox may be a list of fields."""
    return _LIST.fullmatch(name) is not None


def append(root: Path, subfolder: str, staged: Sequence[StagedLine], *, again: bool, disk: Disk) -> None:
    """Append lines staged in ``root/subfolder`` to the list there, each once, durable as ``disk`` decides.

    ``again`` says that an earlier call may have been interrupted. Raises ``OSError`` if the folder refuses, and
    :class:`EnvironmentFault` if all names of lists are taken by others.
    """
    with folder_if_there(root, subfolder) as directory:
        # With its folder, the sidecars and the staged lines are gone as well.
        if directory is not None:
            _append(directory, staged, again=again, disk=disk)


def drop(root: Path, subfolder: str, name: str, disk: Disk) -> None:
    """Remove a staged line. The list must be durable before, since a missing line counts as appended."""
    with folder_if_there(root, subfolder) as directory:
        if directory is not None and remove(directory, name):
            disk.folder(directory)


def _append(directory: int, staged: Sequence[StagedLine], *, again: bool, disk: Disk) -> None:
    by_header: dict[bytes, list[bytes]] = {}
    like: os.stat_result | None = None
    for each in staged:
        found = _staged(directory, each.temporary)
        if found is None:
            continue
        fields, like = found
        if not (again and _is_listed(directory, fields, each.file, disk)):
            by_header.setdefault(fields.header, []).append(_line(fields.named(each.file)))
    for header, lines in by_header.items():
        assert like is not None  # noqa: S101 - for the type checker
        _append_lines(directory, header, lines, like, disk)


def _staged(directory: int, name: str) -> tuple[ListedFields, os.stat_result] | None:
    """Return a staged line with the status of its file; None if there is none, or it is not what was staged."""
    try:
        descriptor = open_regular(directory, name)
    except OSError as error:
        if error.errno in _NO_LIST:
            return None
        raise
    with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor, not a path
        try:
            return ListedFields.from_json(file.read()), os.fstat(descriptor)
        except (ValueError, KeyError, TypeError):
            return None


def _append_lines(directory: int, header: bytes, lines: Sequence[bytes], like: os.stat_result, disk: Disk) -> None:
    """Append lines to the first list with this header, which is made if there is none."""
    for number in range(1, _MOST_LISTS + 1):
        name = "fields.csv" if number == 1 else f"fields-{number}.csv"
        descriptor = _opened(directory, name, like)
        if descriptor is None:
            continue
        try:
            if (content := _continuation(descriptor, header, lines)) is None:
                continue
            if not os.fstat(descriptor).st_size:
                _share(descriptor, like)
            while content:
                # In one call, unless the disk is full: other programs may append, too.
                content = content[os.write(descriptor, content) :]
            disk.file(descriptor)
            disk.folder(directory)
        finally:
            os.close(descriptor)
        return
    raise EnvironmentFault(
        "the fields of a scan cannot be listed: each name from fields.csv on is taken",
        f"move away what is named fields.csv to fields-{_MOST_LISTS}.csv; ocrwatch retries it by itself",
    )


def _opened(directory: int, name: str, like: os.stat_result) -> int | None:
    """Open a list, which is made if it is missing; None if it belongs to others, or is in use."""
    status = status_of(directory, name)
    if status is not None and not stat.S_ISREG(status.st_mode):
        return None
    try:
        # No more permissions than the staged line has, at no time.
        descriptor = os.open(name, _APPEND, stat.S_IMODE(like.st_mode), dir_fd=directory)
    except OSError as error:
        if status is None or error.errno not in _NOT_OURS:
            raise
        return None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    return None


def _share(descriptor: int, like: os.stat_result) -> None:
    """Give a new list the group and permissions of the staged line, which are those of sidecars."""
    if os.fstat(descriptor).st_gid != like.st_gid:
        with if_offered(descriptor):
            os.fchown(descriptor, -1, like.st_gid)
    with if_offered(descriptor):
        os.fchmod(descriptor, stat.S_IMODE(like.st_mode))


def _continuation(descriptor: int, header: bytes, lines: Sequence[bytes]) -> bytes | None:
    """Return what must be appended to a list so that it has these lines; None if its header is another one.

    A header or a line that was cut off, by a full disk or a power failure, is completed first.
    """
    size = os.fstat(descriptor).st_size
    head = os.pread(descriptor, len(header), 0)
    if head != header:
        is_begun = size == len(head) and header.startswith(head)
        return header[size:] + b"".join(lines) if is_begun else None
    start = max(len(header), size - _TAIL)
    last = os.pread(descriptor, size - start, start).rpartition(b"\n")[2]
    if not last:
        return b"".join(lines)
    for number, line in enumerate(lines):
        if line.startswith(last):
            return line[len(last) :] + b"".join((*lines[:number], *lines[number + 1 :]))
    # An open quotation would take in the next line.
    quote = b'"' if last.count(b'"') % 2 else b""
    end = b"\n" if last.endswith(b"\r") and not quote else b"\r\n"
    return quote + end + b"".join(lines)


def _is_listed(directory: int, fields: ListedFields, file: str, disk: Disk) -> bool:
    """Return whether a line is in one of the lists, durable as ``disk`` decides."""
    for name in filter(is_list, os.listdir(directory)):
        try:
            descriptor = open_regular(directory, name)
        except OSError as error:
            if error.errno in _NO_LIST:
                continue
            raise
        try:
            if _has_line(descriptor, fields, file):
                # The earlier call may have been interrupted before this.
                disk.file(descriptor)
                disk.folder(directory)
                return True
        finally:
            os.close(descriptor)
    return False


def _has_line(descriptor: int, fields: ListedFields, file: str) -> bool:
    line = _line(fields.named(file)).rstrip()
    with open(descriptor, "rb", closefd=False) as content:
        if content.readline() == fields.header:
            return any(each.rstrip() == line for each in content)
        content.seek(0)
        # By name and time, which hardly any program changes when it saves the list in its own notation.
        wanted = {*fields.named(file)[:2]}
        return any(wanted <= row for row in _rows(content.read(_MOST_READ), fields.cells[0]))


def _rows(content: bytes, text: str) -> Iterator[set[str]]:
    """Yield the cells of all lines that contain ``text``, by each of the usual delimiters."""
    for line in _decoded(content).splitlines():
        if text in line:
            for delimiter in _DELIMITERS:
                try:
                    yield {cell for row in csv.reader([line], delimiter=delimiter) for cell in row}
                except csv.Error:
                    continue


def _decoded(content: bytes) -> str:
    if content.startswith(_BYTE_ORDER_MARKS_16):
        return content.decode("utf-16", "replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _line(cells: Sequence[str]) -> bytes:
    file = io.StringIO(newline="")
    csv.writer(file).writerow(cells)
    return file.getvalue().encode("utf-8", "backslashreplace")
