"""Programs and addresses that are notified: derived from the settings, and checked."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field

from ocrwatch.errors import EnvironmentFault, UsageError
from ocrwatch.hooks.webhook import Address, parse_header
from ocrwatch.settings import Settings

_EVENTS = ("delivered", "quarantined", "batch", "document")
_LONGEST_SECRET = 8000


@dataclass(frozen=True, slots=True)
class HookOptions:
    """Options: what to do at which event."""

    programs: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Program and arguments by event: ``delivered``, ``quarantined``, ``batch``, ``document``."""
    timeout: float = 30.0
    """Seconds for one run of a program."""
    concurrency: int = 2
    """Programs that run at once."""
    capacity: int = 1000
    """Waiting notifications, for programs and for the webhook each."""
    webhook: Address | None = None


def hook_options(settings: Settings) -> HookOptions:
    """Return the options of the hooks.

    Raises :class:`EnvironmentFault` if a program cannot be run or the secret cannot be read, and :class:`UsageError` if
    the secret is no header.
    """
    hooks = settings.hooks
    commands: dict[str, tuple[str, ...]] = {event: getattr(hooks, event) for event in _EVENTS}
    programs = {event: (_program(event, command), *command[1:]) for event, command in commands.items() if command}
    address = (
        Address(hooks.webhook, _secret(settings), hooks.timeout, hooks.webhook_attempts) if hooks.webhook else None
    )
    return HookOptions(programs, hooks.timeout, hooks.concurrency, hooks.queue_size, address)


def _program(event: str, command: tuple[str, ...]) -> str:
    """Return the absolute path of a program that can be run."""
    name = command[0]
    found = shutil.which(name)
    if found is not None:
        return os.path.abspath(found)  # noqa: PTH100 - links stay: programs check the name they are run by
    if not name.startswith("/"):
        where = "is not on the PATH"
        remedy = f"name it by its absolute path in hooks.{event}"
    elif os.path.exists(name):  # noqa: PTH110 - Path.exists raises for closed folders
        where, remedy = "may not be run by this user", f"run: chmod +x {name}"
    else:
        where, remedy = "is not there", f"install it, or take it out of hooks.{event}"
    raise EnvironmentFault(f"the program {name} of hooks.{event} {where}", remedy)


def _secret(settings: Settings) -> tuple[str, str] | None:
    path = settings.hooks.webhook_secret
    if path is None:
        return None
    try:
        with path.open(encoding="utf-8") as file:
            header = parse_header(file.read(_LONGEST_SECRET))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise EnvironmentFault(
            f"the file {path} of hooks.webhook_secret cannot be read ({reason})", "let ocrwatch's user read it"
        ) from error
    if header is None:
        raise UsageError(
            f"the file {path} of hooks.webhook_secret holds no header",
            "write one line into it, such as Authorization: Bearer 1234",
        )
    return header
