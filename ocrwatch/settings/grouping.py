"""Options of documents of several pages: ``[profiles.group]``."""

from __future__ import annotations

from typing import Annotated, Literal

from ocrwatch.settings.section_base import Section, wrong_option
from ocrwatch.settings.types import Duration, between, format_duration


class Group(Section):
    """How the pages of a feeder become one document. The single pages are delivered as well."""

    by: Literal["", "name", "folder", "time", "separator"] = ""
    """Which pages belong together. name: those of one folder with the same name before their number, such as
    scan_001.jpg and scan_002.jpg. folder: all pages of one folder. time: pages of one folder that come without a pause
    of quiet. separator: the same, divided at separator sheets (ocrwatch separator), for which codes are looked for.
    Empty makes no documents. The document has those of output.formats that can have several pages: all but
    explain and those of other packages."""
    quiet: Annotated[Duration, between(0.5, 86400.0, format_duration)] = 60.0
    """A document is complete when no further page has come for this long, 500ms to 1d. A page that comes later begins
    another document. Increase it if a feeder pauses longer between two pages."""
    blank: Literal["keep", "drop", "split"] = "keep"
    """What blank pages do. keep: they are pages like others. drop: they are left out of the document, such as the blank
    backs of a duplex scanner. split: they are left out, and what follows is another document. The scan of a blank page
    is archived in any case."""
    duplex: Literal["", "reversed", "same"] = ""
    """For a scanner that scans one side only: all fronts are scanned, then all backs, and the document has them in
    turns. reversed: the backs come in reverse order, as if the pile is turned over as a whole. same: they come in the
    order of the fronts. Between the piles must be a pause of quiet, unless the names begin again or, with by = name,
    are others. Empty makes a document of each pile."""
    duplex_wait: Annotated[Duration, between(1.0, 86400.0, format_duration)] = 600.0
    """How long complete fronts wait for the first of their backs, 1s to 1d; used with duplex only. Then they are a
    document without backs, which is marked for review."""


def check_group(group: Group, at: tuple[str | int, ...]) -> None:
    """Check that no option lacks another one that it needs; ``at`` is the section. Raises what pydantic reports."""
    if not group.by and (others := group.model_fields_set - {"by"}):
        unused = " and ".join(sorted(others))
        remedy = f"write name, folder, time or separator, or remove {unused}: without by, no documents are made"
        raise wrong_option((*at, "by"), group.by, remedy)
    if not group.duplex and group.duplex_wait != Group.model_fields["duplex_wait"].default:
        remedy = "write reversed or same, or remove duplex_wait: without duplex, no pile waits for another"
        raise wrong_option((*at, "duplex"), group.duplex, remedy)
