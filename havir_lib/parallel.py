"""Work in several processes, from notebooks, scripts and pytest alike.

Joblib's worker processes do not import the script they were started from, so a script needs no
``if __name__ == "__main__":``; and they are not forked, which could deadlock beside the threads of
torch or OpenMP.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from joblib import Parallel, delayed

T = TypeVar("T")


def in_processes(work: Callable[..., T], calls: Iterable[tuple], workers: int) -> Iterator[T]:
    """``work(*call)`` of every call, in their order, as they are done.

    Parameters
    ----------
    work : callable
        A function of a module.
    calls : iterable of tuple
        Arguments.
    workers : int
        Processes; with 1, everything runs in this one.
    """
    pool = Parallel(n_jobs=workers, return_as="generator", backend="loky")
    return pool(delayed(work)(*call) for call in calls)
