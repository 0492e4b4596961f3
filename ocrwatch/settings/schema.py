"""All options. The docstring of an option is its description for admins.

It appears in the example file, the manual page, the reference and the JSON Schema.
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeVar

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ocrwatch.recipe import FieldRule, RemoteService
from ocrwatch.settings.caching import Cache
from ocrwatch.settings.field_options import DocumentType, FieldOptions, check_names, fields_of, merged
from ocrwatch.settings.grouping import Group, check_group
from ocrwatch.settings.reading import Codes, Enhance, Ocr, Tables, recipe
from ocrwatch.settings.remote import Remote, check_services
from ocrwatch.settings.reporting import Events, Hooks, Status
from ocrwatch.settings.section_base import Section
from ocrwatch.settings.types import (
    Duration,
    FileMode,
    Folder,
    Languages,
    Locale,
    Names,
    OptionalName,
    SidecarFormats,
    Size,
    between,
    format_duration,
    format_size,
)

__all__ = [
    "Batch", "Cache", "Codes", "Effective", "Enhance", "Events", "Group", "Hooks", "Intake", "Log", "Ocr", "Output",
    "Pdf", "Profile", "Remote", "Retry", "Section", "Settings", "Settle", "Status", "Tables", "Watch", "Workers",
    "recipe",
]  # fmt: skip

AnySection = TypeVar("AnySection", bound=Section)


class Watch(Section):
    """How new scans are detected."""

    mode: Literal["auto", "inotify", "poll"] = "auto"
    """auto: inotify if the inbox's file system supports it, otherwise poll. inotify: the kernel reports changes
    immediately. poll: the inbox is rescanned every poll_interval, as network shares need. Set it only if auto does not
    choose the right one."""
    recursive: bool = True
    """Whether subfolders of the inbox are watched too. They are mirrored in the outbox."""
    include: Annotated[Names, Field(min_length=1)] = (
        "*.jpg", "*.jpeg", "*.jpe", "*.jfif", "*.png", "*.tif", "*.tiff", "*.pdf",
    )  # fmt: skip
    """Patterns of the file names to read. The files must be JPEG, PNG or TIFF images, or PDFs, whatever their names end
    in. PDFs need the extra pdf; without it, *.pdf is ignored. Case is ignored."""
    exclude: Names = (
        ".*", "*.part", "*.tmp", "*.filepart", "*.crdownload", "~*", "*~",
        "Thumbs.db",
    )  # fmt: skip
    """Patterns of file and folder names to ignore, such as unfinished uploads. An excluded folder is ignored with
    everything in it. Case is ignored. The recycle bins, snapshots and metadata of NAS devices, operating systems and
    sync programs (@Recycle, #snapshot, @eaDir, lost+found and others) are always ignored."""
    rescan: Annotated[Duration, between(0.5, 86400.0, format_duration)] = 60.0
    """With inotify: interval between full rescans, 500ms to 1d. They find scans for which no event was reported.
    Increase it if the inbox is very large."""
    poll_interval: Annotated[Duration, between(0.1, 3600.0, format_duration)] = 2.0
    """With polling: interval between rescans, 100ms to 1h. Increase it if polling loads the file server."""


class Settle(Section):
    """When a scan counts as complete."""

    stable_for: Annotated[Duration, between(0.0, 3600.0, format_duration)] = 1.0
    """How long a complete image must stay unchanged before it is read, up to 1h. Increase it for devices that still
    change a file after it looks complete."""
    stable_for_closed: Annotated[Duration, between(0.0, 3600.0, format_duration)] = 0.2
    """The same for a file that its writer has just closed or renamed, up to 1h. It is shorter because such a file is
    usually finished."""
    give_up_after: Annotated[Duration, between(1.0, 7 * 86400.0, format_duration)] = 600.0
    """How long an incomplete or damaged file may stay unchanged, 1s to 7d. Then it is quarantined, or read if only its
    end marker is missing. Increase it for uploads with long interruptions."""
    max_bytes: Annotated[Size, between(1000, 10**10, format_size)] = 200_000_000
    """Larger files are quarantined without being read, 1KB to 10GB."""


class Intake(Section):
    """What happens to duplicates, and to empty subfolders of the inbox."""

    duplicates: Literal["deliver", "skip", "archive", "delete"] = "deliver"
    """What happens to a scan with the same bytes as a scan that was delivered before. deliver: its text is written
    again under another name. skip: it stays in the inbox, unread. archive: it is moved to the archive. delete: it is
    deleted. A scan is delivered in any case if the earlier text is no longer in the outbox, or was made with other
    options of [ocr], [enhance] or output.formats, or if it is a page of a document (profiles.group). Change it if a
    device sends the same files again."""
    remove_empty_folders: bool = False
    """Whether a subfolder of the inbox is removed after its scans were taken, once it has been empty for 5 to 10
    minutes. The command once removes none. Do not enable it if scanners save into folders by name: they may not create
    them again."""


class Batch(Section):
    """How scans that arrive together are grouped."""

    max_scans: int = Field(default=16, ge=1, le=10_000)
    """A batch is closed when it has this many scans, 1 to 10000."""
    quiet: Annotated[Duration, between(0.0, 60.0, format_duration)] = 0.1
    """A batch is closed when no scan has arrived for this long, up to 1m. Increase it, and max_wait, if the hook batch
    is to run once for a stack of pages."""
    max_wait: Annotated[Duration, between(0.0, 3600.0, format_duration)] = 0.5
    """A batch is closed when its oldest scan has waited this long, up to 1h. This limits the delay that quiet adds."""


class Workers(Section):
    """The worker processes that read scans."""

    executor: str = "local"
    """Where scans are read: local (processes of this machine), or an executor that another package adds as an entry
    point of the group ocrwatch.executors."""
    count: int = Field(default=0, ge=0, le=1024)
    """Number of scans that are read at the same time, 1 to 1024; 0 uses one worker per available core. Decrease it if
    memory is short or other programs need the cores."""
    timeout: Annotated[Duration, between(0.1, 86400.0, format_duration)] = 120.0
    """Maximum time for reading one scan, 100ms to 1d. Then its worker is stopped, and the scan is read once more, after
    up to 100 others and without enhancement. Increase it on slow machines or for very large scans."""
    max_memory: Annotated[Size, between(10**9, 10**13, format_size, or_zero=True)] = 2_000_000_000
    """Maximum address space of one worker, 1GB to 10TB; 0 sets no limit. A worker needs about half a gigabyte before it
    reads, and up to 0.3 more with rapidocr. Increase it if scans are quarantined as out-of-memory."""
    max_scans: int = Field(default=500, ge=1, le=1_000_000)
    """A worker is replaced after this many scans, 1 to 1000000, in case a library leaks memory."""
    shutdown_timeout: Annotated[Duration, between(0.0, 3600.0, format_duration)] = 20.0
    """Maximum time that a stop waits for the scans that are being read, up to 1h. Unfinished scans are read after the
    next start. systemd's TimeoutStopSec must be longer."""


class Output(Section):
    """What is written to the outbox."""

    formats: SidecarFormats = ("txt",)
    """Files to write for each scan: txt (the text), md (Markdown with headings and lists), json, hocr, alto or tsv
    (words with positions and confidences), pdf (searchable; it needs the extra pdf), csv or xlsx (its tables; they need
    tables.enabled, and xlsx the extra xlsx), explain (a picture of what was found), or formats that other packages add,
    by name."""
    mode: FileMode = None
    """Permissions of these files, such as "0640"; empty uses the umask."""
    group: OptionalName = None
    """Group of these files; empty leaves it to the system. Set it if other users must read the text."""
    fields_csv: bool = True
    """Whether the fields of each scan are appended as a line to fields.csv in the scan's folder of the outbox. Only
    scans of a profile with fields have a line. Disable it if the values must be in the other files only."""
    review_below: float = Field(default=75.0, ge=0, le=100)
    """Pages with a lower confidence, 0 to 100, are marked for review, and so are pages on which many letter-like marks
    or cells of tables were not read, and pages without text that are not blank. 0 marks none of these. A page without a
    required field of its profile is always marked, even with 0, and even if it is blank. Decrease it if too many good
    pages are marked."""


class Pdf(Section):
    """How the format pdf shows a scan."""

    straighten: bool = True
    """Whether the page is put upright and straight, so that its text is found in the right order. The image in it is
    unchanged in any case. Disable it if the PDF must look like the scan."""


class Retry(Section):
    """How often a scan is retried if reading fails."""

    attempts: int = Field(default=3, ge=1, le=100)
    """A scan is quarantined after this many failed attempts, 1 to 100. Only failures that may pass are retried,
    not damaged files."""
    first_delay: Annotated[Duration, between(0.0, 3600.0, format_duration)] = 2.0
    """Delay before the second attempt, up to 1h. It doubles with each further attempt."""
    max_delay: Annotated[Duration, between(0.0, 86400.0, format_duration)] = 30.0
    """Maximum delay between two attempts, up to 1d."""

    @model_validator(mode="after")
    def _delays_grow(self) -> Self:
        if self.first_delay > self.max_delay:
            raise ValueError("make retry.max_delay at least as long as retry.first_delay")
        return self


class History(Section):
    """How long the history of scans is kept."""

    max_age: Annotated[Duration, between(86400.0, 36500 * 86400.0, format_duration)] = 365 * 86400.0
    """How long delivered and quarantined scans are remembered, 1d to 36500d. Duplicates of older scans are not
    recognised. Originals that stay in the inbox are remembered until they are removed."""


class Log(Section):
    """What is logged to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Lowest level of the events to log: debug, info, warning or error."""
    format: Literal["auto", "json", "console"] = "auto"
    """json, console (for people), or auto: console on a terminal, otherwise json."""
    preview_chars: int = Field(default=0, ge=0, le=10_000)
    """Number of characters of each text that are logged, up to 10000; 0 logs none. Scans may be confidential."""


_NO_GROUP: Final = Group()


class Profile(Section):
    """Settings for scans in some folders. The first profile that matches is used."""

    match: str = Field(min_length=1)
    """Pattern for the path in the inbox: * matches any characters within a name, ** any number of folders. Case
    matters."""
    name: str = ""
    """Name of the profile in logs and status; empty uses the pattern."""
    languages: Languages | None = None
    """Short for languages in [profiles.ocr]."""
    ocr: Ocr = Ocr()
    """Options of [ocr] that differ."""
    enhance: Enhance = Enhance()
    """Options of [enhance] that differ."""
    output: Output = Output()
    """Options of [output] that differ."""
    pdf: Pdf = Pdf()
    """Options of [pdf] that differ."""
    tables: Tables = Tables()
    """Options of [tables] that differ."""
    codes: Codes = Codes()
    """Options of [codes] that differ."""
    group: Group = Group()
    """Which pages become one document."""
    document_type: DocumentType = "none"
    """Type of document whose fields are found: receipt, invoice, cheque, form, id_card, or none."""
    locale: Locale = ""
    """Language and country of the documents, such as "de_DE" or "en_US": how their dates and amounts are written. Empty
    takes the languages of the scans."""
    fields: tuple[FieldOptions, ...] = ()
    """Fields to find, each in a [[profiles.fields]] of its own. One with the name of a field of the document type
    replaces that."""

    @model_validator(mode="after")
    def _languages_once(self) -> Self:
        if self.languages is not None and "languages" in self.ocr.model_fields_set:
            raise ValueError("name the languages either in the profile or in its ocr section")
        return self

    @model_validator(mode="after")
    def _fields_fit(self) -> Self:
        check_names(self.all_fields)
        return self

    @property
    def label(self) -> str:
        """Its name, or its pattern if it has none."""
        return self.name or self.match

    @property
    def all_fields(self) -> tuple[FieldOptions, ...]:
        """The fields of the document type and the profile's own."""
        return merged(fields_of(self.document_type), self.fields)

    def matches(self, path: str) -> bool:
        """Return whether the profile matches ``path``.

        The path is relative to the inbox, with ``/`` between its parts.
        """
        return _matches(path.split("/"), self.match.split("/"))


def _matches(parts: list[str], patterns: list[str]) -> bool:
    if not patterns:
        return not parts
    first, rest = patterns[0], patterns[1:]
    if first == "**":
        return any(_matches(parts[skipped:], rest) for skipped in range(len(parts) + 1))
    return bool(parts) and fnmatchcase(parts[0], first) and _matches(parts[1:], rest)


@dataclass(frozen=True, slots=True)
class Effective:
    """The options for one scan."""

    profile_name: str | None
    """None if no profile matches."""
    ocr: Ocr
    enhance: Enhance
    output: Output
    pdf: Pdf
    tables: Tables
    codes: Codes
    fields: tuple[FieldRule, ...]
    services: tuple[RemoteService, ...] = ()
    group: Group = _NO_GROUP


class Settings(BaseSettings):
    """All options."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    inbox: Folder = Path("inbox")
    """Folder that is watched for scans. This and the other folders are created at the first start if they are
    missing."""
    outbox: Folder = Path("outbox")
    """Folder for the text."""
    archive: Folder = Path("archive")
    """Folder for originals that were read."""
    quarantine: Folder = Path("quarantine")
    """Folder for originals that cannot be read, each with a file that gives the reason."""
    state: Folder = Path("state")
    """Folder for ocrwatch's own data; it must be on a local disk. Under systemd the default is the service's
    StateDirectory."""
    on_success: Literal["archive", "keep", "delete"] = "archive"
    """What happens to an original that was read. archive: it is moved to the archive. keep: it stays in the inbox,
    which may then be read-only. delete: it is deleted; that of a page of a document (profiles.group) is archived until
    the document is in the outbox, and a file of several pages that lacks one is archived."""

    watch: Watch = Watch()
    settle: Settle = Settle()
    intake: Intake = Intake()
    batch: Batch = Batch()
    workers: Workers = Workers()
    ocr: Ocr = Ocr()
    enhance: Enhance = Enhance()
    output: Output = Output()
    pdf: Pdf = Pdf()
    tables: Tables = Tables()
    codes: Codes = Codes()
    retry: Retry = Retry()
    history: History = History()
    hooks: Hooks = Hooks()
    events: Events = Events()
    cache: Cache = Cache()
    log: Log = Log()
    status: Status = Status()
    remote: tuple[Remote, ...] = ()
    profiles: tuple[Profile, ...] = ()

    @model_validator(mode="after")
    def _originals_are_kept(self) -> Self:
        if self.on_success == "keep" and self.intake.duplicates == "delete":
            raise ValueError(
                "set intake.duplicates to skip: with on_success = keep, an original that is renamed would be deleted"
            )
        return self

    @model_validator(mode="after")
    def _services_exist(self) -> Self:
        check_services(
            self.remote, self.ocr, [(profile.ocr, self.with_profile(profile).ocr) for profile in self.profiles]
        )
        return self

    @model_validator(mode="after")
    def _groups_say_by_what(self) -> Self:
        for number, profile in enumerate(self.profiles):
            check_group(profile.group, ("profiles", number, "group"))
        return self

    @classmethod
    def settings_customise_sources(cls, *sources: Any, **by_name: Any) -> tuple[PydanticBaseSettingsSource, ...]:  # noqa: ARG003
        """Use only the arguments.

        :mod:`ocrwatch.settings.load` merges the sources itself, so that the source of each value is known.
        """
        return (by_name["init_settings"],)

    @property
    def fields(self) -> tuple[FieldRule, ...]:
        """No fields: only scans of a profile have some."""
        return ()

    @property
    def services(self) -> tuple[RemoteService, ...]:
        """The remote services, as far as they affect texts."""
        return tuple(remote.service for remote in self.remote)

    @property
    def all_ocr(self) -> tuple[Ocr, ...]:
        """The ``[ocr]`` options without a profile, and those of each profile."""
        return (self.ocr, *(self.with_profile(profile).ocr for profile in self.profiles))

    def profile_named(self, label: str) -> Profile | None:
        """Return the first profile with this name, or with this pattern and no name."""
        return next((profile for profile in self.profiles if profile.label == label), None)

    def for_path(self, path: str) -> Effective:
        """Return the options for the scan at ``path``.

        The path is relative to the inbox, with ``/`` between its parts.
        """
        profile = next((profile for profile in self.profiles if profile.matches(path)), None)
        if profile is None:
            return Effective(
                None, self.ocr, self.enhance, self.output, self.pdf, self.tables, self.codes, self.fields, self.services
            )
        return self.with_profile(profile)

    def with_profile(self, profile: Profile) -> Effective:
        """Return the options for the scans of one profile."""
        ocr = _overlay(self.ocr, profile.ocr)
        if profile.languages is not None:
            ocr = ocr.model_copy(update={"languages": profile.languages})
        return Effective(
            profile.label,
            ocr,
            _overlay(self.enhance, profile.enhance),
            _overlay(self.output, profile.output),
            _overlay(self.pdf, profile.pdf),
            _overlay(self.tables, profile.tables),
            _overlay(self.codes, profile.codes) if profile.group.by != "separator" else Codes(enabled=True),
            tuple(options.rule(profile.locale) for options in profile.all_fields),
            self.services,
            profile.group,
        )


def _overlay(base: AnySection, over: AnySection) -> AnySection:
    return base.model_copy(update={name: getattr(over, name) for name in over.model_fields_set})
