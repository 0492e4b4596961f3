"""Every option, once. The docstring below an option is what admins read about it in the example file and the schema."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from ocrwatch.settings.reading import Enhance, Ocr, recipe
from ocrwatch.settings.section import Section
from ocrwatch.settings.types import (
    Address,
    Command,
    Duration,
    FileMode,
    Folder,
    Languages,
    Names,
    OptionalFile,
    OptionalName,
    SidecarFormats,
    Size,
    WebAddress,
    between,
    format_duration,
    format_size,
)

__all__ = [
    "Batch", "Cache", "Effective", "Enhance", "Events", "Hooks", "Intake", "Log", "Ocr", "Output", "Profile", "Retry",
    "Section", "Settings", "Settle", "Status", "Watch", "Workers", "recipe",
]  # fmt: skip

AnySection = TypeVar("AnySection", bound=Section)


class Watch(Section):
    """How new scans are found."""

    mode: Literal["auto", "inotify", "poll"] = "auto"
    """inotify (the kernel reports changes), poll (rescan at intervals, for network shares), or auto: inotify if the
    inbox's file system supports it."""
    recursive: bool = True
    """Whether subfolders of the inbox are watched too; they are mirrored in the outbox."""
    include: Annotated[Names, Field(min_length=1)] = ("*.jpg", "*.jpeg", "*.jpe", "*.jfif")
    """File names to read. Upper and lower case are the same."""
    exclude: Names = (
        ".*", "*.part", "*.tmp", "*.filepart", "*.crdownload", "~*", "*~",
        "Thumbs.db",
    )  # fmt: skip
    """File and folder names to leave alone, such as unfinished uploads. An excluded folder is excluded with all it
    contains. Upper and lower case are the same. Folders in which NAS boxes, operating systems and sync programs keep
    what was deleted, and copies (@Recycle, #snapshot, @eaDir, lost+found and others), are left alone in any case."""
    rescan: Annotated[Duration, between(0.5, 86400.0, format_duration)] = 60.0
    """How often the whole inbox is rescanned although no change was reported, 500ms to 1d."""
    poll_interval: Annotated[Duration, between(0.1, 3600.0, format_duration)] = 2.0
    """How often the inbox is rescanned when polling, 100ms to 1h."""


class Settle(Section):
    """When a scan is complete."""

    stable_for: Annotated[Duration, between(0.0, 3600.0, format_duration)] = 1.0
    """How long a complete file must stay unchanged before it is read, up to 1h."""
    stable_for_closed: Annotated[Duration, between(0.0, 3600.0, format_duration)] = 0.2
    """The same for a file that was just closed or renamed by its writer, up to 1h."""
    give_up_after: Annotated[Duration, between(1.0, 7 * 86400.0, format_duration)] = 600.0
    """How long a file may stay incomplete or damaged, and unchanged, before it is quarantined, or read if only its end
    marker is missing, 1s to 7d."""
    max_bytes: Annotated[Size, between(1000, 10**10, format_size)] = 200_000_000
    """Larger files are quarantined unread, 1KB to 10GB."""


class Intake(Section):
    """What happens to scans that were delivered before, and to folders that scans came in."""

    duplicates: Literal["deliver", "skip", "archive", "delete"] = "deliver"
    """What happens to a scan with the same bytes as one that was delivered before: deliver (its text is written once
    more, under another name), skip (it stays in the inbox, unread), archive (it is put into the archive) or delete.
    Only if the earlier text is in the outbox still and was made with the same options of [ocr], [enhance] and
    output.formats; else the scan is delivered."""
    remove_empty_folders: bool = False
    """Whether a subfolder of the inbox is removed after its scans were taken, when it has been empty for 5 to 10
    minutes. Not by once. Leave it off if scanners save into folders by name: they may not make them again."""


class Batch(Section):
    """How scans that arrive together are gathered."""

    max_scans: int = Field(default=16, ge=1, le=10_000)
    """A batch is closed when it has this many scans, 1 to 10000."""
    quiet: Annotated[Duration, between(0.0, 60.0, format_duration)] = 0.1
    """A batch is closed when no scan came for this long, up to 1m."""
    max_wait: Annotated[Duration, between(0.0, 3600.0, format_duration)] = 0.5
    """A batch is closed when its oldest scan has waited this long, up to 1h."""


class Workers(Section):
    """The processes that read."""

    executor: str = "local"
    """Where scans are read: local (processes of this machine), or an executor that another package adds as an entry
    point of the group ocrwatch.executors."""
    count: int = Field(default=0, ge=0, le=1024)
    """How many scans are read at once, 1 to 1024; 0 takes the number of cores that ocrwatch may use."""
    timeout: Annotated[Duration, between(0.1, 86400.0, format_duration)] = 120.0
    """Reading one scan may take this long, 100ms to 1d; then its worker is stopped. The scan is read once more, after
    all others and without enhancement."""
    max_memory: Annotated[Size, between(10**9, 10**13, format_size, or_zero=True)] = 2_000_000_000
    """Address space of one worker, 1GB to 10TB; 0 sets no limit. About half a gigabyte is taken before any scan is, and
    up to 0.3 more with rapidocr."""
    max_scans: int = Field(default=500, ge=1, le=1_000_000)
    """A worker is replaced after this many scans, 1 to 1000000."""
    shutdown_timeout: Annotated[Duration, between(0.0, 3600.0, format_duration)] = 20.0
    """When ocrwatch is stopped, scans that are being read may take this long to finish, up to 1h."""


class Output(Section):
    """What is written to the outbox."""

    formats: SidecarFormats = ("txt",)
    """Sidecars to write: txt (the text), json (words with their places and confidences), or formats of other packages
    by their names."""
    mode: FileMode = None
    """Permissions of the sidecars, such as "0640"; empty leaves them to the umask."""
    group: OptionalName = None
    """Group that the sidecars belong to; empty leaves it to the system."""
    review_below: float = Field(default=75.0, ge=0, le=100)
    """Pages read with less confidence, 0 to 100, are marked for review, and so are pages of which many letter-like
    marks lie in no word, and pages without text that are not blank; 0 marks none."""


class Retry(Section):
    """How often a scan is tried whose reading failed."""

    attempts: int = Field(default=3, ge=1, le=100)
    """A scan is quarantined after this many failed attempts, 1 to 100."""
    first_delay: Annotated[Duration, between(0.0, 3600.0, format_duration)] = 2.0
    """Time before the second attempt, up to 1h; it doubles with every further one."""
    max_delay: Annotated[Duration, between(0.0, 86400.0, format_duration)] = 30.0
    """The longest time between two attempts, up to 1d."""

    @model_validator(mode="after")
    def _delays_grow(self) -> Self:
        if self.first_delay > self.max_delay:
            raise ValueError("make retry.max_delay at least as long as retry.first_delay")
        return self


class History(Section):
    """How long the ledger keeps the history of scans."""

    max_age: Annotated[Duration, between(86400.0, 36500 * 86400.0, format_duration)] = 365 * 86400.0
    """How long the end of a scan is remembered, 1d to 36500d; without limit for originals that stay in the inbox."""


class Cache(Section):
    """The texts of earlier scans, so that the same bytes need not be read again."""

    enabled: bool = True
    """Whether the text of a known scan is taken from the cache. Reading it again would give the same text: the cache
    distinguishes settings, versions and language data."""
    max_age: Annotated[Duration, between(60.0, 36500 * 86400.0, format_duration)] = 90 * 86400.0
    """How long a text is kept, 1m to 36500d."""
    max_bytes: Annotated[Size, between(10**6, 10**12, format_size)] = 200_000_000
    """Space for texts in the state folder, 1MB to 1TB; the oldest are removed first."""
    levels: Annotated[Names, Field(min_length=1)] = ("memory", "disk")
    """Where texts are kept, asked in this order: memory, disk (the state folder), and what other packages bring along
    as entry points of the group ocrwatch.caches."""


class Log(Section):
    """What is logged, to standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least important events to log: debug, info, warning or error."""
    format: Literal["auto", "json", "console"] = "auto"
    """json, console (for people), or auto: console on a terminal, json elsewhere."""
    preview_chars: int = Field(default=0, ge=0, le=10_000)
    """How many characters of a scan's text are logged with it, up to 10000. Scans can be confidential."""


class Status(Section):
    """What ocrwatch reports about itself."""

    heartbeat: Annotated[Duration, between(1.0, 3600.0, format_duration)] = 10.0
    """How often the status is written although nothing happens, 1s to 1h."""
    share_file: bool = True
    """Whether STATUS.txt in the outbox says what ocrwatch does, for people who see only the share. It names the scans
    that were read last and those that wait for review: switch it off where some may see the outbox but not the names
    of what is in its subfolders."""
    listen: Address = ""
    """Address for /metrics (Prometheus), /healthz and /readyz, such as ":9464" (this machine only), "[::1]:9464" or
    "0.0.0.0:9464" (everybody: there is no password); empty for none."""


class Hooks(Section):
    """How other programs are notified. Each gets JSON on its standard input, and is run without a shell."""

    delivered: Command = ()
    """Program and arguments to run when a scan's text is in the outbox, such as ["/usr/local/bin/index", "--quiet"]."""
    quarantined: Command = ()
    """The same for a scan that was put into the quarantine."""
    batch: Command = ()
    """The same for the end of a batch."""
    timeout: Annotated[Duration, between(0.1, 3600.0, format_duration)] = 30.0
    """A program, or one attempt to post, may take this long, 100ms to 1h; then it is ended."""
    concurrency: int = Field(default=2, ge=1, le=64)
    """How many programs run at once, 1 to 64."""
    queue_size: int = Field(default=1000, ge=1, le=100_000)
    """How many notifications may wait, 1 to 100000; then the oldest is dropped."""
    webhook: WebAddress = ""
    """Address to which all three are posted as JSON, http or https; empty posts nothing."""
    webhook_secret: OptionalFile = None
    """File that holds a header to post with, such as Authorization: Bearer 1234; empty sends none."""
    webhook_attempts: int = Field(default=8, ge=1, le=100)
    """How often a notification is posted until it is accepted, 1 to 100; the delays grow from 500ms to 30s."""


class Events(Section):
    """Programs in Python that get each event of the log, as objects."""

    listeners: Names = ()
    """Listeners of other packages by their names, which are entry points of the group ocrwatch.listeners. They cannot
    delay scans: if one is too slow, events for it are dropped."""


class Profile(Section):
    """Rules for some of the scans, by their path in the inbox. The first profile that matches is used."""

    match: str = Field(min_length=1)
    """Pattern for the path in the inbox: * within one name, ** for any number of folders. Case counts."""
    name: str = ""
    """What the profile is called in logs; empty takes the pattern."""
    languages: Languages | None = None
    """Short for languages in [profiles.ocr]."""
    ocr: Ocr = Ocr()
    """Options of [ocr] that differ."""
    enhance: Enhance = Enhance()
    """Options of [enhance] that differ."""
    output: Output = Output()
    """Options of [output] that differ."""

    @model_validator(mode="after")
    def _languages_once(self) -> Self:
        if self.languages is not None and "languages" in self.ocr.model_fields_set:
            raise ValueError("name the languages either in the profile or in its ocr section")
        return self

    def matches(self, path: str) -> bool:
        """Tell whether the profile is for ``path``, relative to the inbox with ``/`` between parts."""
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
    """None where no profile matches."""
    ocr: Ocr
    enhance: Enhance
    output: Output


class Settings(BaseSettings):
    """All options."""

    model_config = SettingsConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    inbox: Folder = Path("inbox")
    """Folder that is watched. This and the other folders are made on the first start if they are missing."""
    outbox: Folder = Path("outbox")
    """Folder for the text."""
    archive: Folder = Path("archive")
    """Folder for the originals that were read."""
    quarantine: Folder = Path("quarantine")
    """Folder for the originals that cannot be read, each with the reason beside it."""
    state: Folder = Path("state")
    """Folder for ocrwatch's own records; under systemd its StateDirectory, unless set here."""
    on_success: Literal["archive", "keep", "delete"] = "archive"
    """What happens to an original that was read: archive, keep (in the inbox, which may be read-only) or delete."""

    watch: Watch = Watch()
    settle: Settle = Settle()
    intake: Intake = Intake()
    batch: Batch = Batch()
    workers: Workers = Workers()
    ocr: Ocr = Ocr()
    enhance: Enhance = Enhance()
    output: Output = Output()
    retry: Retry = Retry()
    history: History = History()
    hooks: Hooks = Hooks()
    events: Events = Events()
    cache: Cache = Cache()
    log: Log = Log()
    status: Status = Status()
    profiles: tuple[Profile, ...] = ()

    @model_validator(mode="after")
    def _originals_are_kept(self) -> Self:
        if self.on_success == "keep" and self.intake.duplicates == "delete":
            raise ValueError(
                "set intake.duplicates to skip: with on_success = keep, an original that is renamed would be deleted"
            )
        return self

    @classmethod
    def settings_customise_sources(cls, *sources: Any, **by_name: Any) -> tuple[PydanticBaseSettingsSource, ...]:  # noqa: ARG003
        """Take nothing but arguments: the sources are put together elsewhere, so that each value's is known."""
        return (by_name["init_settings"],)

    def for_path(self, path: str) -> Effective:
        """Return the options for the scan at ``path``, relative to the inbox with ``/`` between parts."""
        profile = next((profile for profile in self.profiles if profile.matches(path)), None)
        if profile is None:
            return Effective(None, self.ocr, self.enhance, self.output)
        return self.with_profile(profile)

    def with_profile(self, profile: Profile) -> Effective:
        """Return the options for the scans of one profile."""
        ocr = _overlay(self.ocr, profile.ocr)
        if profile.languages is not None:
            ocr = ocr.model_copy(update={"languages": profile.languages})
        return Effective(
            profile.name or profile.match,
            ocr,
            _overlay(self.enhance, profile.enhance),
            _overlay(self.output, profile.output),
        )


def _overlay(base: AnySection, over: AnySection) -> AnySection:
    return base.model_copy(update={name: getattr(over, name) for name in over.model_fields_set})
