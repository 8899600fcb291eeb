"""Wall time and peak memory of a command and everything it starts.

Memory is proportional set size (shared pages counted once, split among those who share them) where
the system tells it, as Linux does, else resident set size.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import psutil

EVERY_SECONDS = 1.0


@dataclass(frozen=True)
class Measured:
    """What a command took.

    Attributes
    ----------
    seconds : float
    cpu : float
        Seconds of all cores together.
    peak : int
        Bytes.
    processes : int
        Most at one time.
    returncode : int
    """

    seconds: float
    cpu: float
    peak: int
    processes: int
    returncode: int


@dataclass
class Family:
    """A process and all it started; what the ended ones used is remembered.

    Attributes
    ----------
    root : psutil.Process
    """

    root: psutil.Process
    _cpu: dict[int, float] = field(default_factory=dict)

    def look(self) -> tuple[int, int]:
        """Bytes held now, and by how many processes."""
        total = n = 0
        for one in [self.root, *self.root.children(recursive=True)]:
            try:
                info, times = one.memory_full_info(), one.cpu_times()
            except psutil.Error:  # ended meanwhile
                continue
            total += getattr(info, "pss", info.rss)
            self._cpu[one.pid] = times.user + times.system
            n += 1
        return total, n

    @property
    def cpu(self) -> float:
        """Seconds that all of them have computed, as far as they were looked at."""
        return sum(self._cpu.values())


def watch(
    command: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    cwd: str | None = None,
    every: float = EVERY_SECONDS,
    on_sample: Callable[[int, float], object] = lambda held, cpu: None,
) -> Measured:
    """Run a command and look at its memory every so many seconds.

    Parameters
    ----------
    on_sample : callable
        Gets the bytes held and the CPU seconds used so far, each time.
    """
    start, peak, most = time.monotonic(), 0, 0
    running = psutil.Popen(command, env=environment, cwd=cwd)
    family = Family(running)
    try:
        while running.poll() is None:
            held, n = family.look()
            on_sample(held, family.cpu)
            peak, most = max(peak, held), max(most, n)
            time.sleep(every)
    except BaseException:  # stopped by hand: nothing of ours stays behind
        for one in [*running.children(recursive=True), running]:
            one.terminate()
        raise
    seconds = time.monotonic() - start
    return Measured(seconds, family.cpu, peak, most, running.returncode)
