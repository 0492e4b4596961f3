"""Outputs of the status besides its own file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ocrwatch.events import StatusListening, publish
from ocrwatch.observe import status_txt
from ocrwatch.observe.status import Status
from ocrwatch.observe.status_txt_writer import StatusTextWriter
from ocrwatch.settings import Settings
from ocrwatch.settings.types import parse_address
from ocrwatch.storage.mounts import MountGuard

if TYPE_CHECKING:
    from ocrwatch.observe.health_http import HealthState, Listener


class StatusOutputs:
    """Publishes the status on the share and over HTTP, as configured."""

    def __init__(self, settings: Settings, group: int | None, *, once: bool) -> None:
        """Store the settings; ``group`` is the group id of files in the outbox."""
        # `once` prints a summary instead: the file would be out of date afterwards.
        self._poster = (
            StatusTextWriter(_share_file(settings, group)) if settings.status.share_file and not once else None
        )
        self._address = "" if once else settings.status.listen
        self._board: HealthState | None = None
        self._listener: Listener | None = None

    def listen(self) -> None:
        """Start the HTTP server, if configured.

        Raises :class:`EnvironmentFault` if the address is in use.
        """
        if self._address:
            self._board, self._listener = _listen(self._address)

    def publish(self, status: Status) -> None:
        """Publish a status."""
        if self._poster is not None:
            self._poster.offer(status_txt.text_of(status))
        if self._board is not None:
            self._board.status = status

    def turned(self, now: float) -> None:
        """Record that the loop turns (monotonic seconds)."""
        if self._board is not None:
            self._board.turned(now)

    def close(self) -> None:
        """Write the last status, and end."""
        if self._poster is not None:
            self._poster.close()
        if self._listener is not None:
            self._listener.close()


def _listen(address: str) -> tuple[HealthState, Listener]:
    # Neither an HTTP server nor Prometheus' library is loaded unless it is configured.
    from ocrwatch.observe.health_http import HealthState, Listener  # noqa: PLC0415
    from ocrwatch.observe.prometheus import Exposition  # noqa: PLC0415

    board = HealthState()
    host, port = parse_address(address)
    listener = Listener(host, port, board, Exposition(lambda: board.status).render)
    publish(StatusListening(address=listener.address))
    return board, listener


def _share_file(settings: Settings, group: int | None) -> Callable[[str], None]:
    output = settings.output
    anchor = MountGuard(settings.outbox, "outbox")

    def post(text: str) -> None:
        # If the share is not mounted, its mount point is a folder like any other.
        anchor.check()
        status_txt.post(settings.outbox, settings.inbox, text, mode=output.mode, group=group)

    return post
