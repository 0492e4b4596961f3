"""What must have become of the sheets of a feeder in the end: each in one document, and delivered as any scan is."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

import pypdfium2

from tests.crash.accounts import NOTE
from tests.crash.scenario import LOCK, Differences, EndState, Places
from tests.feeder import Sheet

PAGE_SCHEMA: Final = "ocrwatch.page/1"
DOCUMENT_SCHEMA: Final = "ocrwatch.document/1"
PAGE_BREAK: Final = "\f"

_REASON: Final = ".reason.json"


@dataclass(frozen=True)
class Joined:
    """A document in the outbox."""

    stem: str
    """Name of its files below the outbox, without their endings."""
    outbox: Path
    content: dict[str, Any]
    """Of its JSON."""

    @property
    def pages(self) -> list[dict[str, Any]]:
        """Its pages in the JSON."""
        pages: list[dict[str, Any]] = self.content["pages"]
        return pages

    @property
    def paths(self) -> list[str]:
        """The paths of its pages, in order."""
        return [page["path"] for page in self.pages]

    @property
    def missing(self) -> list[str]:
        """The paths of the pages that could not be read."""
        return [page["path"] for page in self.pages if page["missing"]]

    @property
    def texts(self) -> list[str]:
        """The text of each page in the JSON, without spaces around it; empty if the page is missing."""
        return [page["page"]["text"].strip() if page["page"] else "" for page in self.pages]

    @property
    def txt(self) -> list[str]:
        """The text of each page in the text file, without spaces around it."""
        text = self.file("txt").read_text(encoding="utf-8")
        return [page.strip(" \n") for page in text.split(PAGE_BREAK)]

    @property
    def pdf(self) -> list[str]:
        """The text of each page of the PDF, with single spaces."""
        return pdf_texts(self.file("pdf"))

    def file(self, ending: str) -> Path:
        """Return the path of its file with this ending."""
        return self.outbox / f"{self.stem}.{ending}"


def pdf_texts(path: Path) -> list[str]:
    """Return the text of each page of a PDF, with single spaces."""
    pdf = pypdfium2.PdfDocument(path)
    try:
        return [" ".join(page.get_textpage().get_text_range().split()) for page in pdf]
    finally:
        pdf.close()


def documents_in(outbox: Path) -> dict[str, Joined]:
    """Return the documents in an outbox by their stems."""
    found = {}
    for stem, content in _json_below(outbox):
        if content.get("schema") == DOCUMENT_SCHEMA:
            found[stem] = Joined(stem, outbox, content)
    return found


def parts_in(state: Path) -> set[str]:
    """Return the files that are kept for documents that are not complete."""
    return {str(path.relative_to(state)) for path in (state / "documents").rglob("*") if not path.is_dir()}


def settle_accounts(
    places: Places,
    sheets: Sequence[Sheet],
    *,
    left_out: Collection[str] = (),
    replaced: Collection[str] = (),
    on_success: str = "archive",
) -> Differences:
    """Compare what lies in the folders of a daemon that does not run with what should come of ``sheets``.

    ``left_out`` are paths that are in no document, and ``replaced`` stems of documents that were written anew.
    Formats must be txt and json at least. Parts in the state folder are an error unless a page is still missing.
    """
    differences = Differences()
    documents = documents_in(places.folder("outbox"))
    own = _own_sidecars(differences, places, sheets, documents)
    _originals(differences, places, sheets, on_success)
    latest = [document for stem, document in documents.items() if stem not in replaced]
    _membership(differences, latest, sheets, left_out)
    for document in documents.values():
        _consistency(differences, document, own)
    state = EndState.of(places)
    differences.partial += state.hidden
    if not any(document.missing for document in latest):
        differences.partial += sorted(parts_in(places.folder("state")))
    if state.integrity != "ok":
        differences.other.append(f"ledger: {state.integrity}")
    differences.other += [row for row in state.rows if " delivered" not in row and " quarantined" not in row]
    return differences


def _own_sidecars(
    differences: Differences, places: Places, sheets: Sequence[Sheet], documents: Collection[str]
) -> dict[tuple[str, str], dict[str, Any]]:
    """Check that each readable sheet has a JSON and a text of its own; return the JSONs by path and hash."""
    outbox = places.folder("outbox")
    found: dict[tuple[str, str], dict[str, Any]] = {}
    stems: set[str] = set()
    times: Counter[tuple[str, str]] = Counter()
    wanted = {(sheet.path, sheet.sha256): sheet for sheet in sheets if sheet.kind != "broken"}
    for stem, content in _json_below(outbox):
        if content.get("schema") != PAGE_SCHEMA:
            continue
        stems.add(stem)
        key = content["source"]["path"], content["source"]["sha256"]
        times[key] += 1
        found[key] = content
        if key not in wanted:
            differences.other.append(f"the sidecar {stem}.json of no sheet")
        elif content["text"].strip() != wanted[key].text:
            differences.partial.append(f"{stem}.json has another text")
        text = outbox / f"{stem}.txt"
        if not text.is_file() or text.read_text(encoding="utf-8").strip() != content["text"].strip():
            differences.partial.append(f"{stem}.txt, beside its JSON")
    differences.lost += [f"the sidecar of {path}" for path, sha256 in wanted if (path, sha256) not in times]
    differences.doubled += [f"the sidecar of {path}" for (path, _), count in times.items() if count > 1]
    texts = {str(path.relative_to(outbox)).removesuffix(".txt") for path in outbox.rglob("*.txt") if path.name != NOTE}
    differences.other += [f"{stem}.txt without its JSON" for stem in texts - stems - set(documents)]
    return found


def _originals(differences: Differences, places: Places, sheets: Sequence[Sheet], on_success: str) -> None:
    """Check that each original is where it should be, as often as it came."""
    wanted: Counter[tuple[str, str]] = Counter()
    for sheet in sheets:
        if sheet.kind == "broken":
            wanted["quarantine", sheet.sha256] += 1
        elif on_success != "delete":
            wanted["archive" if on_success == "archive" else "inbox", sheet.sha256] += 1
    found: Counter[tuple[str, str]] = Counter()
    names: dict[tuple[str, str], str] = {}
    for folder in ("inbox", "archive", "quarantine"):
        for path in _files(places.folder(folder)):
            if not path.name.endswith(_REASON):
                key = folder, hashlib.sha256(path.read_bytes()).hexdigest()
                found[key] += 1
                names[key] = f"{folder}/{path.relative_to(places.folder(folder))}"
    path_of = {sheet.sha256: sheet.path for sheet in sheets}
    differences.lost += [
        f"the original of {path_of[sha256]}, which is not in the {place}" for place, sha256 in (wanted - found)
    ]
    differences.doubled += [f"the original {names[key]}" for key in (found - wanted)]


def _membership(
    differences: Differences, documents: Sequence[Joined], sheets: Sequence[Sheet], left_out: Collection[str]
) -> None:
    """Check that each sheet is in one document."""
    wanted = Counter(
        (sheet.path, "missing" if sheet.kind == "broken" else sheet.sha256)
        for sheet in sheets
        if sheet.path not in left_out
    )
    found = Counter(
        (page["path"], "missing" if page["missing"] else page["sha256"])
        for document in documents
        for page in document.pages
    )
    differences.lost += [f"{path}, which is in no document" for path, _ in (wanted - found)]
    differences.doubled += [f"{path}, which is in a document too often" for path, _ in (found - wanted)]


def _consistency(differences: Differences, document: Joined, own: dict[tuple[str, str], dict[str, Any]]) -> None:
    """Check that all files of a document tell the same."""
    stem, pages = document.stem, document.pages
    if document.content["page_count"] != len(pages):
        differences.partial.append(f"{stem}.json says that it has {document.content['page_count']} pages")
    if [page["number"] for page in pages] != list(range(1, len(pages) + 1)):
        differences.partial.append(f"{stem}.json numbers its pages otherwise")
    for page in pages:
        key = page["path"], page["sha256"]
        if bool(page["missing"]) == bool(page["page"]):
            differences.partial.append(f"{page['path']} in {stem}.json is neither there nor missing, or both")
        elif page["page"] and page["page"] != own.get(key):
            differences.partial.append(f"{page['path']} in {stem}.json differs from its own sidecar")
    expected = [
        f"[page {page['number']} of {len(pages)} ({page['path'].rsplit('/', 1)[-1]}) is missing: "
        if page["missing"]
        else text
        for page, text in zip(pages, document.texts, strict=True)
    ]
    are_missing = [bool(page["missing"]) for page in pages]
    txt = [
        text[: len(wanted)] if is_missing else text
        for text, wanted, is_missing in zip_longest(document.txt, expected, are_missing, fillvalue="")
    ]
    if txt != expected:
        differences.partial.append(f"{stem}.txt has {document.txt} and not {expected}")
    if not document.file("pdf").exists():
        return
    # Its sheet for a missing page says why in words of its own.
    pdf = [
        bool(text) if is_missing else text for text, is_missing in zip_longest(document.pdf, are_missing, fillvalue="")
    ]
    if pdf != [is_missing or text for text, is_missing in zip(expected, are_missing, strict=True)]:
        differences.partial.append(f"{stem}.pdf has {document.pdf} and not {expected}")


def _json_below(outbox: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(outbox.rglob("*.json")):
        if not path.name.startswith("."):
            yield str(path.relative_to(outbox)).removesuffix(".json"), json.loads(path.read_text(encoding="utf-8"))


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if not path.is_dir() and path.name != LOCK]
