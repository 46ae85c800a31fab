# SPDX-License-Identifier: Apache-2.0
"""Fixed-layout records over loopback TCP: no framing, the record size is the frame."""

from __future__ import annotations

import contextlib
import selectors
import socket
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from pretrade.domain.errors import JournalError

_CHUNK: Final = 1 << 20
LOOPBACK: Final = "127.0.0.1"


class RecordSocket:
    """One connection that carries whole records of one dtype each way.

    Parameters
    ----------
    connection
        A connected stream socket; it is owned from here on.
    receives
        dtype of the records that arrive.
    """

    def __init__(self, connection: socket.socket, receives: np.dtype[Any]) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.settimeout(0.0)
        self._socket = connection
        self._dtype = receives
        self._rest = b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(connection, selectors.EVENT_READ)
        self.is_closed = False

    @classmethod
    def connect(cls, port: int, receives: np.dtype[Any], *, timeout_s: float = 10.0) -> Self:
        """Connect to a loopback port.

        Raises
        ------
        JournalError
            If nobody listens there within the time.
        """
        try:
            return cls(socket.create_connection((LOOPBACK, port), timeout_s), receives)
        except OSError as e:
            raise JournalError(f"no connection to {LOOPBACK}:{port} within {timeout_s:g} s: {e}") from e

    def fileno(self) -> int:
        """Descriptor for a selector."""
        return self._socket.fileno()

    def send(self, records: NDArray[Any]) -> None:
        """Send records whole; blocks while the peer is slow.

        Raises
        ------
        JournalError
            If the peer is gone.
        """
        try:
            self._socket.settimeout(None)
            self._socket.sendall(np.ascontiguousarray(records).view(np.uint8).data)
        except OSError as e:
            self.is_closed = True
            raise JournalError(f"the peer of a record stream is gone after {len(records)} records were due: {e}") from e
        finally:
            with contextlib.suppress(OSError):
                self._socket.settimeout(0.0)

    def receive(self, wait_s: float = 0.0) -> NDArray[Any]:
        """Whole records that have arrived, possibly none; waits at most ``wait_s`` for the first.

        Notes
        -----
        ``is_closed`` turns true at the end of the stream; a cut record at the end is an error.
        """
        parts = [self._rest]
        if self._selector.select(wait_s):
            with contextlib.suppress(BlockingIOError):
                while True:
                    got = self._recv()
                    parts.append(got)
                    if not got:
                        self.is_closed = True
                        break
                    if len(got) < _CHUNK:
                        break
        raw = b"".join(parts)
        whole = len(raw) // self._dtype.itemsize * self._dtype.itemsize
        self._rest = raw[whole:]
        if self.is_closed and self._rest:
            raise JournalError(f"a record stream ended {len(self._rest)} bytes into a record of {self._dtype.itemsize}")
        return np.frombuffer(raw[:whole], self._dtype)

    def _recv(self) -> bytes:
        try:
            return self._socket.recv(_CHUNK)
        except ConnectionError:
            # Reset by a peer that died: the stream is at its end.
            return b""

    def close(self) -> None:
        """Close both ways."""
        self._selector.close()
        self._socket.close()
        self.is_closed = True


class RecordListener:
    """A loopback port that hands out :class:`RecordSocket` connections."""

    def __init__(self, receives: np.dtype[Any], port: int = 0) -> None:
        self._server = socket.create_server((LOOPBACK, port))
        self._dtype = receives
        self.port: int = self._server.getsockname()[1]

    def fileno(self) -> int:
        """Descriptor for a selector."""
        return self._server.fileno()

    def accept(self, timeout_s: float) -> RecordSocket | None:
        """Next connection, ``None`` when none came in time."""
        self._server.settimeout(max(timeout_s, 1e-6))
        try:
            connection, _ = self._server.accept()
        except TimeoutError:
            return None
        return RecordSocket(connection, self._dtype)

    def close(self) -> None:
        """Stop listening."""
        self._server.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
