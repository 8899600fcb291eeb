"""Ending a connection from outside: when asked to stop, or when it brings next to nothing."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from types import TracebackType

TICK = 0.2  # seconds


class Watch:
    """Looks after one connection while its blocks are read.

    A read that waits for bytes notices neither a wish to stop nor that bytes come one by one. The
    watch shuts the connection, which ends the read.

    Parameters
    ----------
    shut : callable
        Ends reading from any thread.
    seconds : float
        Longest time for one block.
    stop : threading.Event
        Set when the user wants to stop.
    """

    def __init__(self, shut: Callable[[], None], seconds: float, stop: threading.Event) -> None:
        self.late = False
        self._shut, self._seconds, self._stop = shut, seconds, stop
        self._began = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def each(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """The blocks; time that their receiver takes does not count."""
        iterator = iter(blocks)
        while True:
            self._began = time.monotonic()
            block = next(iterator, None)
            self._began = float("inf")
            if block is None:
                return
            yield block

    def _look(self) -> None:
        while not self._over.wait(TICK):
            self.late = time.monotonic() - self._began > self._seconds
            if self.late or self._stop.is_set():
                with suppress(OSError, ValueError, RuntimeError):  # it may end by itself just now
                    self._shut()
                return
