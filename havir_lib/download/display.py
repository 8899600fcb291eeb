"""What the user sees of a download: tables, bars, sums."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from tqdm import tqdm

from havir_lib.download.items import Item
from havir_lib.download.missing import table_of_missing
from havir_lib.download.plan import Task, human

Say = Callable[[str], None]
"""Shows a line to the user."""


def show(
    new: list[Item], tasks: list[Task], root: Path, say: Say, list_files: bool = False
) -> None:
    """Kinds of files that are not here, their sizes as far as known, and the sum."""
    if not new:
        say("Everything is here.")
        return
    sizes = {task.path: task.remote.size for task in tasks}
    say(f"Not on this machine, {len(new)} files:")
    for line in table_of_missing(new, root, sizes):
        say(f"  {line}")
    for item in new if list_files else ():
        say(f"  {human(sizes[item.fetched]) if item.fetched in sizes else '?':>10}  {item.path}")
    if not sizes:
        say("How much is to be fetched is not known: no server answered.")
        return
    total, left = sum(sizes.values()), sum(task.left for task in tasks)
    begun = f", of which {human(total - left)} came already" if left < total else ""
    known = "" if len(sizes) == len({item.fetched for item in new}) else " where sizes are known"
    say(f"To fetch: {human(total)}{known}{begun}.")


def bar(total: int, what: str) -> tqdm:
    """A progress bar over bytes, with rate and remaining time; none if there are no bytes."""
    return tqdm(
        total=total, desc=what, unit="B", unit_scale=True, disable=not total, dynamic_ncols=True
    )


def summary(checked: Sequence[str]) -> str:
    """How many files are here, and by what they were compared."""
    ways = [f"{count} {way}" for way, count in Counter(checked).most_common()]
    return f"{len(checked)} files are here; compared: {', '.join(ways) or 'nothing'}."
