"""Wall time and peak memory of a command and everything it starts.

Memory is proportional set size (shared pages counted once, split among those who share them) where
the system tells it, as Linux does, else resident set size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import psutil

EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class Measured:
    """What a command took.

    Attributes
    ----------
    seconds : float
    peak : int
        Bytes.
    processes : int
        Most at one time.
    returncode : int
    """

    seconds: float
    peak: int
    processes: int
    returncode: int


def memory(process: psutil.Process) -> tuple[int, int]:
    """Bytes held by a process and its children, and how many processes that are."""
    total = n = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            info = one.memory_full_info()
        except psutil.Error:  # ended meanwhile
            continue
        total += getattr(info, "pss", info.rss)
        n += 1
    return total, n


def watch(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: str | None = None,
    every: float = EVERY_SECONDS,
    on_sample: Callable[[int], object] = lambda held: None,
) -> Measured:
    """Run a command and look at its memory every so many seconds.

    Parameters
    ----------
    on_sample : callable
        Gets the bytes held, each time.
    """
    start, peak, most = time.monotonic(), 0, 0
    running = psutil.Popen(command, env=environment, cwd=cwd)
    try:
        while running.poll() is None:
            held, n = memory(running)
            on_sample(held)
            peak, most = max(peak, held), max(most, n)
            time.sleep(every)
    except BaseException:  # stopped by hand: nothing of ours stays behind
        for one in [*running.children(recursive=True), running]:
            one.terminate()
        raise
    return Measured(time.monotonic() - start, peak, most, running.returncode)
