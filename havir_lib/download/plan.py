"""What is here, what has to be fetched, how large it is, and whether there is room."""

from __future__ import annotations

import logging
import shutil
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from havir_lib.download.items import Item
from havir_lib.download.sources import Remote, Source
from havir_lib.errors import DataError

log = logging.getLogger(__name__)

Sizes = dict[tuple[str, str], Remote]
"""By source and name."""


@dataclass(frozen=True)
class Task:
    """One file to fetch: an item, or an archive with several.

    Attributes
    ----------
    items : tuple of Item
    remote : Remote
    """

    items: tuple[Item, ...]
    remote: Remote

    @property
    def path(self) -> Path:
        """Where the bytes go."""
        return self.items[0].fetched

    @property
    def source(self) -> str:
        """Which server has it."""
        return self.items[0].source

    @property
    def name(self) -> str:
        """What that server calls it."""
        return self.items[0].name

    @property
    def left(self) -> int:
        """Bytes still to come."""
        return max(self.remote.size - self.items[0].begun(), 0)

    @property
    def room(self) -> int:
        """Bytes of disk it will take in addition to what it has now.

        Unpacked captions are a few times larger than packed; four times the archive is plenty.
        """
        return self.left + (4 * self.remote.size if self.items[0].member else 0)


def survey(sources: dict[str, Source], items: Iterable[Item]) -> Sizes:
    """Ask each server once for all its files; a checksum known in advance wins over the server's.

    Raises
    ------
    Interrupted, HavirError
        As the source does.
    """
    names: dict[str, set[str]] = defaultdict(set)
    pinned = {(item.source, item.name): item.pinned for item in items if item.pinned}
    for item in items:
        if item.source:
            names[item.source].add(item.name)
    sizes = {}
    for source, wanted in names.items():
        for name, remote in sources[source].survey(sorted(wanted)).items():
            checksum = pinned.get((source, name)) or remote.checksum
            sizes[source, name] = replace(remote, checksum=checksum)
    return sizes


def drop_unavailable(items: Sequence[Item], sizes: Sizes) -> list[Item]:
    """The items that are here or can be fetched; a required one that is neither is an error.

    Raises
    ------
    DataError
        Names the first of them.
    """
    lost = [i for i in items if i.here() is None and (i.source, i.name) not in sizes]
    if required := [item for item in lost if item.required]:
        first = required[0]
        where = f"{first.source} has no {first.name}" if first.source else "only you have it"
        raise DataError(
            f"{len(required)} required file(s) cannot be fetched, e.g. {first.path} ({first.kind}"
            f"{f' of {first.subject}' if first.subject else ''}): {where}. Check the profile "
            "(data.space, betas_version, betas_format, n_sessions, captions; weights), or put the "
            "file there."
        )
    for item in lost:
        log.warning("not on the server, left out: %s (%s)", item.name, item.kind)
    return [item for item in items if item not in lost]


def make_tasks(items: Iterable[Item], sizes: Sizes) -> list[Task]:
    """One task per file to fetch."""
    together: dict[tuple[str, str, Path], list[Item]] = defaultdict(list)
    for item in items:
        together[item.source, item.name, item.fetched].append(item)
    return [
        Task(tuple(group), sizes[source, name]) for (source, name, _), group in together.items()
    ]


def check_disk(tasks: Iterable[Task]) -> None:
    """Refuse to start what cannot end.

    Raises
    ------
    DataError
        If a disk has less free space than will be written to it.
    """
    needed: dict[int, int] = defaultdict(int)
    folders: dict[int, Path] = {}
    for task in tasks:
        folder = next(parent for parent in task.path.parents if parent.is_dir())
        device = folder.stat().st_dev
        needed[device] += task.room
        folders.setdefault(device, folder)
    for device, size in needed.items():
        free = shutil.disk_usage(folders[device]).free
        if size > free:
            raise DataError(
                f"{folders[device]}: expected room for {human(size)}, found {human(free)} free. "
                "Nothing was downloaded. Make room, choose another folder (--data; HF_HOME and "
                "TORCH_HOME for weights), or fewer --subjects or sessions (data.n_sessions)."
            )


def human(size: float) -> str:
    """A number of bytes for people, in powers of 1000 as disks are sold: ``"1.05 GB"``."""
    if size < 1000:
        return f"{size:.0f} B"
    units = ("kB", "MB", "GB", "TB")
    power = next((n for n in (1, 2, 3) if size < 1000 ** (n + 1)), 4)
    return f"{size / 1000**power:,.1f} {units[power - 1]}"
