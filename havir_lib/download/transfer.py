"""One file from a server to its place: resumed, checked, and only then given its name.

Bytes go into ``<name>.part``. ``<name>.part.json`` says which version of the remote file they are,
so that a file that was replaced on the server meanwhile is begun anew and not mixed. The last step
is a rename, which happens or does not happen: a file under its own name is complete.
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from havir_lib.config import Download
from havir_lib.download.sources import Changed, Interrupted, Remote, Source, TooSlow
from havir_lib.errors import DataError
from havir_lib.io import read_json, write_json
from havir_lib.locks import alone

log = logging.getLogger(__name__)

LONGEST_PAUSE = 60.0  # seconds, of our own choice
LONGEST_ASKED = 600.0  # seconds, if the server asks for more than that
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
AGAIN = "Run the same command again"


class Stopped(Exception):
    """The transfer was asked to stop; what was fetched stays for the next run."""


def part_of(path: Path) -> Path:
    """Where the bytes of an unfinished file are."""
    return path.with_name(f"{path.name}.part")


def partial_size(path: Path) -> int:
    """Bytes of an unfinished file that are on disk; 0 if there is none."""
    part = part_of(path)
    return part.stat().st_size if part.is_file() else 0


def fetch(
    source: Source,
    name: str,
    path: Path,
    remote: Remote,
    settings: Download,
    advance: Callable[[int], None] = lambda n: None,
    stop: threading.Event | None = None,
) -> str:
    """Fetch a file, check it and put it in its place; continues where an earlier run ended.

    Parameters
    ----------
    source : Source
    name : str
        What the source calls the file.
    path : Path
        Its place.
    remote : Remote
        Size and checksum it must have.
    settings : Download
        How often to try again.
    advance : callable
        Told how many bytes came (negative when some have to come again).
    stop : threading.Event, optional
        Set it to end the transfer at once.

    Another process that fetches the same file into the same place is waited for.

    Returns
    -------
    str
        What was checked, e.g. ``"size and MD5"``.

    Raises
    ------
    DataError
        Refused, missing, of another size or checksum, no room on disk, or the connection broke
        too often. Nothing is left under the file's own name.
    Stopped
    """
    stop = stop or threading.Event()
    path.parent.mkdir(parents=True, exist_ok=True)
    with _alone(path, stop) as waited, _failures_said(path, remote):
        if waited and (checked := _came_meanwhile(path, remote, name)):
            advance(remote.size)
            return checked
        _begin(path, remote)
        advance(partial_size(path))
        _complete(source, name, path, remote, settings, advance, stop)
        checked = check(part_of(path), remote, source_of=name)
        os.replace(part_of(path), path)
        _note(path).unlink(missing_ok=True)
    return checked


@contextmanager
def _alone(path: Path, stop: threading.Event) -> Iterator[bool]:
    """Hold the lock of a file that is fetched; whether another process was waited for."""
    place = path.with_name(f"{path.name}.part.lock")

    def pause(seconds: float) -> None:
        if stop.wait(seconds):
            raise Stopped

    waiting = partial(log.info, "%s: waiting for %s, which fetches it", path)
    with alone(place, waiting, pause) as waited:
        try:
            yield waited
        finally:
            place.unlink(missing_ok=True)  # while it is held: whoever waits takes a new one


def _came_meanwhile(path: Path, remote: Remote, name: str) -> str | None:
    try:
        return check(path, remote, source_of=name, remove=False)
    except (DataError, FileNotFoundError):
        return None


@contextmanager
def _failures_said(path: Path, remote: Remote) -> Iterator[None]:
    """A full disk as a sentence; without a part of the file, no note about it stays."""
    try:
        yield
    except DataError:
        if not part_of(path).exists():
            _note(path).unlink(missing_ok=True)
        raise
    except OSError as error:
        if error.errno in NO_ROOM:
            raise _no_room(path, remote, error) from error
        raise


def check(
    path: Path,
    remote: Remote,
    source_of: str,
    remove: bool = True,
    advance: Callable[[int], None] | None = None,
) -> str:
    """Compare a file with what the server says of it; `advance` is told how much was read.

    Returns
    -------
    str
        What was compared.

    Raises
    ------
    DataError
        If size or checksum differ; with `remove`, the file is deleted first.
    """
    size = path.stat().st_size
    problem = None
    if size != remote.size:
        problem = f"expected {remote.size} bytes, found {size}"
    elif (
        remote.checksum is not None
        and (found := remote.checksum.of(path, advance or (lambda n: None)))
        != remote.checksum.value
    ):
        problem = f"expected {remote.checksum.kind} {remote.checksum.value}, found {found}"
    if problem is None:
        return f"size and {remote.checksum.kind}" if remote.checksum else "size only"
    if remove:
        path.unlink()
    raise DataError(
        f"{path.name.removesuffix('.part')} from {source_of}: {problem}. "
        f"{'It was deleted. ' if remove else ''}{AGAIN}; if it fails again, the server's copy or "
        "the connection (a proxy?) is at fault."
    )


def _begin(path: Path, remote: Remote) -> None:
    """Forget an unfinished file of another version; write down which version this is."""
    version = {"etag": remote.etag, "size": remote.size}
    if _noted(path) != version:
        part_of(path).unlink(missing_ok=True)
        write_json(_note(path), version)


def _noted(path: Path) -> Any:
    try:
        return read_json(_note(path))
    except (FileNotFoundError, ValueError):  # none, or cut short: then it says nothing
        return None


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.part.json")


def _complete(
    source: Source,
    name: str,
    path: Path,
    remote: Remote,
    settings: Download,
    advance: Callable[[int], None],
    stop: threading.Event,
) -> None:
    """Bring the unfinished file to its full size, through as many connections as it takes."""
    failures, restarted = 0, False
    while (start := partial_size(path)) < remote.size:
        try:
            _append(source, name, path, start, remote, advance, stop)
            if (end := partial_size(path)) < remote.size:
                raise Interrupted(f"{name}: ended after {end} of {remote.size} bytes")
        except Changed as error:
            if restarted:
                part_of(path).unlink(missing_ok=True)
                raise _unlike_listing(name, start, remote, error) from error
            log.warning("%s; starting it anew", error)
            part_of(path).unlink(missing_ok=True)
            advance(-start)
            restarted = True
        except Interrupted as error:
            moves = partial_size(path) > start and not isinstance(error, TooSlow)
            failures = 0 if moves else failures + 1
            if failures >= settings.attempts:
                raise _given_up(name, path, remote, settings, error) from error
            log.info("%s; trying again", error)
            if stop.wait(pause_after(error, max(failures - 1, 0), settings)):
                raise Stopped from None


def pause_after(error: Interrupted, failures: int, settings: Download) -> float:
    """Seconds until the next try: doubled with every failure, or as long as the server asks."""
    own = min(settings.retry_seconds * 2**failures, LONGEST_PAUSE)
    return max(own, min(error.pause, LONGEST_ASKED))


def _append(
    source: Source,
    name: str,
    path: Path,
    start: int,
    remote: Remote,
    advance: Callable[[int], None],
    stop: threading.Event,
) -> None:
    position = start
    with part_of(path).open("ab") as file:
        for block in source.read(name, start, remote.etag, stop):
            position += len(block)
            if position > remote.size:
                _discard(file)
                raise DataError(
                    f"{path.name} from {name}: expected {remote.size} bytes, found more. What came "
                    f"was deleted. {AGAIN}; if it fails again, the server's listing is wrong."
                )
            file.write(block)
            advance(len(block))
            if stop.is_set():
                raise Stopped
        file.flush()
        os.fsync(file.fileno())  # a rename must not outlive its bytes in a power cut


def _discard(file: BinaryIO) -> None:
    file.truncate(0)
    Path(file.name).unlink()


def _unlike_listing(name: str, start: int, remote: Remote, error: Exception) -> DataError:
    return DataError(
        f"{name}: expected {remote.size} bytes, as the server's listing says, but it has no more "
        f"than {start} of this version ({error}). What came was deleted. {AGAIN} in a while."
    )


def _given_up(
    name: str, path: Path, remote: Remote, settings: Download, error: Exception
) -> DataError:
    return DataError(
        f"{path.name} from {name}: expected {remote.size} bytes, found {partial_size(path)}; the "
        f"last {settings.attempts} tries brought too little ({error}). Check the connection. "
        f"{AGAIN}: it continues from there."
    )


def _no_room(path: Path, remote: Remote, error: OSError) -> DataError:
    free = shutil.disk_usage(path.parent).free
    return DataError(
        f"{path}: no room for it ({os.strerror(error.errno)}): expected {remote.size} bytes, found "
        f"room for {partial_size(path)}; {free} bytes are free there (a quota or file size limit "
        f"may be lower). Make room or choose another folder. {AGAIN}: it continues from there."
    )
