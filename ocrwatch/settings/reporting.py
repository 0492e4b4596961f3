"""Options of what ocrwatch reports, and to whom."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ocrwatch.settings.section_base import Section
from ocrwatch.settings.types import (
    Address,
    Command,
    Duration,
    Names,
    OptionalFile,
    WebAddress,
    between,
    format_duration,
)


class Status(Section):
    """What ocrwatch reports about itself."""

    heartbeat: Annotated[Duration, between(1.0, 3600.0, format_duration)] = 10.0
    """Interval at which the status is written without a change, 1s to 1h. ocrwatch status reports a hang if three in a
    row are missed."""
    share_file: bool = True
    """Whether a file STATUS.txt in the outbox shows the state of ocrwatch, for people who see only the share. It
    contains the names of the latest scans and of those that wait for review. Disable it if some users of the outbox
    must not see the names in all of its subfolders."""
    listen: Address = ""
    """Address for /metrics (Prometheus), /healthz and /readyz, such as ":9464" (this machine only), "[::1]:9464" or
    "0.0.0.0:9464" (all networks, without a password); empty for none."""


class Hooks(Section):
    """How other programs are notified.

    A program gets JSON on standard input and is run without a shell.
    """

    delivered: Command = ()
    """Program and arguments to run when the text of a scan is in the outbox, such as ["/usr/local/bin/index",
    "--quiet"]; empty for none."""
    quarantined: Command = ()
    """The same for a scan that was quarantined."""
    batch: Command = ()
    """The same for the end of a batch."""
    document: Command = ()
    """The same for a document of several pages (profiles.group) that is in the outbox."""
    timeout: Annotated[Duration, between(0.1, 3600.0, format_duration)] = 30.0
    """Maximum time for a program, or for one attempt to post, 100ms to 1h. Then it is stopped."""
    concurrency: int = Field(default=2, ge=1, le=64)
    """Maximum number of programs that run at the same time, 1 to 64."""
    queue_size: int = Field(default=1000, ge=1, le=100_000)
    """Maximum number of waiting notifications, 1 to 100000. Then the oldest is dropped. Increase it if programs are
    slow and scans arrive in large numbers."""
    field_values: bool = False
    """Whether notifications contain the values of fields, besides their names and how sure they are. They may be
    confidential."""
    webhook: WebAddress = ""
    """URL to which all these notifications are posted as JSON, http or https; empty for none."""
    webhook_secret: OptionalFile = None
    """File with one HTTP header to post with, such as Authorization: Bearer 1234; empty for none."""
    webhook_attempts: int = Field(default=8, ge=1, le=100)
    """Maximum number of attempts to post a notification, 1 to 100. The delays between them grow from 500ms to 30s."""


class Events(Section):
    """Programs in Python that get each event of the log, as objects."""

    listeners: Names = ()
    """Listeners of other packages by their names, which are entry points of the group ocrwatch.listeners. They cannot
    delay scans: if one is too slow, events for it are dropped."""
