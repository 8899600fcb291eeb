"""Locks between processes, which end with the process that holds them, however it ends.

A lock is a file that the operating system keeps locked (``flock``). It says who holds it.
"""

from __future__ import annotations

import errno
import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from havir_lib.errors import RunError

NO_LOCKS = frozenset({errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, 524})
"""What file systems without locks answer; 524 is Linux's own ENOTSUPP, which NFS passes on."""
WAIT = -1.0
PAUSE = 0.25  # seconds between two tries


def take(path: Path, patience: float = WAIT) -> FileLock | None:
    """Take a lock; None if another process still holds it after `patience` seconds.

    Parameters
    ----------
    path : Path
        The lock's file; its folder must exist. The file stays when the lock is released.
    patience : float
        0 to ask once, `WAIT` to wait for as long as it takes.

    Raises
    ------
    RunError
        If the file system has no locks, or the file cannot be written.
    """
    lock = FileLock(path, fallback_to_soft=False)
    try:
        lock.acquire(timeout=patience, poll_interval=PAUSE)
    except Timeout:
        return None
    except OSError as error:
        raise RunError(_refused(Path(path), error)) from error
    with suppress(OSError):  # a full disk; who holds the lock is then not said
        Path(path).write_text(json.dumps(_this_process()) + "\n", encoding="utf-8")
    return lock


@contextmanager
def alone(
    path: Path,
    waiting: Callable[[str], None] = lambda who: None,
    pause: Callable[[float], object] = time.sleep,
) -> Iterator[bool]:
    """Hold a lock during a block, after whoever holds it now; gives whether one was waited for.

    Parameters
    ----------
    path : Path
        As in :func:`take`, whose errors it has.
    waiting : callable
        Told once who is waited for.
    pause : callable
        Waits so many seconds; what it raises ends the waiting.
    """
    waited = False
    while (lock := take(path, patience=0)) is None:
        if not waited:
            waiting(holder(path))
        waited = True
        pause(PAUSE)
    with lock:
        yield waited


def holder(path: Path) -> str:
    """Who holds a lock, as words for a message."""
    try:
        told = json.loads(Path(path).read_text(encoding="utf-8"))
        return "process {process} of {user} on {host}, since {since}".format(**told)
    except (OSError, ValueError, KeyError, TypeError):
        return "a process that left no name"


def _this_process() -> dict[str, str | int]:
    return {
        "process": os.getpid(),
        "user": psutil.Process().username(),
        "host": platform.node(),
        "since": time.strftime("%Y-%m-%d %H:%M"),
    }


def _refused(path: Path, error: OSError) -> str:
    if error.errno not in NO_LOCKS:
        return (
            f"{path}: expected to write this lock file, found {error.strerror}. Check who owns the "
            "folder and whether it can be written, or choose another for the run's results: "
            """--overrides '{"workspace": "FOLDER"}'."""
        )
    kind, mount = _file_system(path)
    return (
        f"{path}: expected a file system that can lock files, found {kind} at {mount}, which "
        f"cannot ({error.strerror}, errno {error.errno}). Keep results elsewhere: --overrides "
        """'{"workspace": "FOLDER"}'; or have it mounted with locks (Lustre: -o flock; NFS: """
        "local_lock=flock, or a lock daemon that runs)."
    )


def _file_system(path: Path) -> tuple[str, str]:
    """Type and mount point of the file system that a path lies on."""
    real = Path(path).resolve()
    mounts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    found = next((folder for folder in real.parents if folder in mounts), Path("/"))
    return mounts.get(found, "a file system of unknown type"), str(found)
