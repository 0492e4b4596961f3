"""Whole Python objects over a private socket, every operation with a deadline.

A worker that hangs, is stopped or dies in the middle of a message can delay nobody but its own slot, and that no
longer than the deadline says. Only a parent and the worker that it started itself are ever at the two ends, so
pickle is safe here.
"""

from __future__ import annotations

import pickle
import socket
import struct
import time
from typing import Any

_LENGTH = struct.Struct("!Q")
_PIECE = 1 << 20


class ChannelClosed(Exception):
    """The other end is gone."""


class Channel:
    """One end of the connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection

    def fileno(self) -> int:
        """Return the socket's descriptor."""
        return self._socket.fileno()

    def send(self, message: object, deadline: float | None = None) -> None:
        """Send one message until ``deadline`` (monotonic seconds).

        Raises ``TimeoutError``, or :class:`ChannelClosed` where the other end is gone.
        """
        data = pickle.dumps(message, protocol=pickle.HIGHEST_PROTOCOL)
        try:
            self._set_timeout(deadline)
            self._socket.sendall(_LENGTH.pack(len(data)))
            self._set_timeout(deadline)
            self._socket.sendall(data)
        except TimeoutError:
            raise
        except OSError as error:
            raise ChannelClosed from error

    def receive(self, deadline: float | None = None) -> Any:
        """Receive one message until ``deadline``; raises as :meth:`send`."""
        (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size, deadline))
        return pickle.loads(self._exactly(length, deadline))  # noqa: S301 - see the module's docstring

    def close(self) -> None:
        """Close this end."""
        self._socket.close()

    def _exactly(self, length: int, deadline: float | None) -> bytearray:
        data = bytearray(length)
        view, filled = memoryview(data), 0
        while filled < length:
            self._set_timeout(deadline)
            try:
                got = self._socket.recv_into(view[filled : filled + _PIECE])
            except TimeoutError:
                raise
            except OSError as error:
                raise ChannelClosed from error
            if got == 0:
                raise ChannelClosed
            filled += got
        return data

    def _set_timeout(self, deadline: float | None) -> None:
        if deadline is None:
            self._socket.settimeout(None)
            return
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
