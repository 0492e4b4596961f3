"""systemd's notification protocol (sd_notify(3)); does nothing without systemd."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(message: str) -> None:
    """Send ``message``, such as ``READY=1``, to the service manager, if one listens."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
        out.sendto(message.encode("utf-8", "backslashreplace"), address)


def watchdog_interval() -> float | None:
    """Return the watchdog interval in seconds, None if the watchdog is off."""
    if os.environ.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return None
    microseconds = os.environ.get("WATCHDOG_USEC", "")
    # Half of what is allowed, as sd_watchdog_enabled(3) recommends.
    return int(microseconds) / 2e6 if microseconds.isdecimal() and int(microseconds) else None
