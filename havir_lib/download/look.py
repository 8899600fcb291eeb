"""Looking without fetching: what a download would do, and whether what is here is whole."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from havir_lib.config import Config
from havir_lib.download import terms
from havir_lib.download.display import Say, bar, show, summary
from havir_lib.download.items import GROUPS, Group, Item
from havir_lib.download.missing import table_of_missing
from havir_lib.download.plan import Sizes, make_tasks, survey
from havir_lib.download.session import Session
from havir_lib.download.sources import Interrupted
from havir_lib.errors import HavirError

log = logging.getLogger(__name__)


def preview_download(
    config: Config,
    root: Path,
    *,
    subjects: Sequence[str] | None = None,
    what: Sequence[Group] = GROUPS,
    list_files: bool = False,
    say: Say = log.info,
) -> list[Item]:
    """Show what would be fetched, with sizes where servers answer; write nothing.

    Parameters
    ----------
    config, root, subjects, what, say
        As in :func:`havir_lib.download.fetch_all`.
    list_files : bool
        Show every file, not only kinds of files.

    Returns
    -------
    list of Item
        What is not here.
    """
    patience = {"attempts": 1, "timeout_seconds": min(config.download.timeout_seconds, 10)}
    settings = config.download.model_copy(update=patience)
    session = Session(config, Path(root), subjects, what, settings)
    session.connect()
    items, sizes, silent = _ask_each(session)
    new = [item for item in items if not item.path.is_file()]
    known = [item for item in new if (item.source, item.name) in sizes]
    show(new, make_tasks(known, sizes), session.root, say, list_files)
    for source, reason in silent.items():
        say(f"No sizes from {source.partition('@')[0]}: {reason}")
    if any(item.group == "nsd" for item in new):
        say(terms.TEXT)
    return new


def verify_download(
    config: Config,
    root: Path,
    *,
    subjects: Sequence[str] | None = None,
    what: Sequence[Group] = GROUPS,
    say: Say = log.info,
) -> list[Item]:
    """Check what is here without a network, as far as earlier runs wrote down what to expect.

    Returns
    -------
    list of Item
        Required files that are missing or damaged.
    """
    session = Session(config, Path(root), subjects, what, config.download)
    session.connect()
    items = session.items()
    checked, broken = check_present(session, items, session.locked_sizes())
    lost = [item for item in items if not item.path.is_file() and item.required] + broken
    say(summary(checked))
    if lost:
        say(f"Missing or damaged, {len(lost)} required files:")
        for line in table_of_missing(lost, session.root):
            say(f"  {line}")
    return lost


def check_present(
    session: Session, items: Sequence[Item], sizes: Sizes
) -> tuple[list[str], list[Item]]:
    """What was compared of the files that are here, and those that are damaged."""
    present = [item for item in items if item.path.is_file()]
    checked, broken = [], []
    total = sum(item.path.stat().st_size for item in present)
    with bar(total, "checking what is here") as progress:
        for item in present:
            before = progress.n
            result = session.intact(item, sizes.get((item.source, item.name)), progress.update)
            checked.append(result) if result else broken.append(item)
            progress.update(before + item.path.stat().st_size - progress.n)
    return [result for result in checked if result], broken


def _ask_each(session: Session) -> tuple[list[Item], Sizes, dict[str, str]]:
    """Items and sizes from those servers that answer, and why the others do not."""
    silent: dict[str, str] = {}
    for name, source in session.repositories().items():
        try:
            source.meant  # noqa: B018  asks the hub
        except (Interrupted, HavirError) as error:
            silent[name] = _short(error)
            del session.sources[name]
    items, sizes = session.items(ask_hub=True), {}
    for name in session.sources:
        try:
            sizes |= survey(session.sources, [item for item in items if item.source == name])
        except (Interrupted, HavirError) as error:
            silent[name] = _short(error)
    return items, sizes, silent


def _short(error: Exception, length: int = 160) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= length else f"{text[: length - 3]}..."
