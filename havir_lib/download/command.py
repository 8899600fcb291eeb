"""``havir download``: from a profile to complete, checked files."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

from huggingface_hub import constants
from tqdm import tqdm

from havir_lib.config import Config
from havir_lib.download import coco, terms
from havir_lib.download.items import GROUPS, Group, Item
from havir_lib.download.missing import ANY_FOLDER, table
from havir_lib.download.plan import (
    Sizes,
    Task,
    check_room,
    drop_unavailable,
    human,
    make_tasks,
    survey,
)
from havir_lib.download.session import Session
from havir_lib.download.sources import Interrupted, Remote
from havir_lib.download.transfer import Stopped, fetch
from havir_lib.errors import ConfigError, HavirError

log = logging.getLogger(__name__)

Say = Callable[[str], None]


def download(
    config: Config,
    root: Path,
    *,
    subjects: Sequence[str] | None = None,
    what: Sequence[Group] = GROUPS,
    accept_terms: bool = False,
    ask: Callable[[str], str] | None = None,
    say: Say = log.info,
) -> list[Item]:
    """Fetch what a profile needs and is not here; check what is here.

    Parameters
    ----------
    config : Config
    root : Path
        Data folder, made if it does not exist.
    subjects : sequence of str, optional
        Default: those of the profile.
    what : sequence of {"nsd", "coco", "weights"}
    accept_terms : bool
        The user has accepted NSD's terms and filled in the access form.
    ask : callable, optional
        Shows a question and returns the typed answer.
    say : callable
        Shows a line to the user.

    Returns
    -------
    list of Item
        What was fetched.

    Raises
    ------
    HavirError
        Says which file, what was expected, what was found, and what to do. A file that is not
        complete never has its own name, and a later run continues it.
    """
    session = Session(config, Path(root), subjects, what, config.download)
    session.connect()
    if not session.items():
        say(f"Profile {config.profile!r} needs nothing from outside.")
        return []
    require_folder(config, session.items())
    items, sizes = session.look()
    items = drop_unavailable(items, sizes)
    new = [item for item in items if not item.path.is_file()]
    _show(new, make_tasks(new, sizes), session.root, say)
    accepted = _accept(new, accept_terms, ask, say)
    only_weights = all(item.group == "weights" for item in items)
    with session.alone(_hub_cache(config) if only_weights else session.root):
        checked, broken = _check_present(session, items, sizes)
        _accept(broken, accepted, ask, say)
        tasks = make_tasks(new + broken, sizes)
        check_room(tasks)
        session.lock_weights()
        checked += _fetch_all(session, tasks)
    say(_summary(checked))
    return new + broken


def preview(
    config: Config,
    root: Path,
    *,
    subjects: Sequence[str] | None = None,
    what: Sequence[Group] = GROUPS,
    list_files: bool = False,
    say: Say = log.info,
) -> list[Item]:
    """Show what :func:`download` would fetch, with sizes where servers answer; write nothing.

    Parameters
    ----------
    config, root, subjects, what, say
        As in :func:`download`.
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
    _show(new, make_tasks(known, sizes), session.root, say, list_files)
    for source, reason in silent.items():
        say(f"No sizes from {source.partition('@')[0]}: {reason}")
    if any(item.group == "nsd" for item in new):
        say(terms.TEXT)
    return new


def verify(
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
    checked, broken = _check_present(session, items, session.locked_sizes())
    lost = [item for item in items if not item.path.is_file() and item.required] + broken
    say(_summary(checked))
    if lost:
        say(f"Missing or damaged, {len(lost)} required files:")
        for line in table(lost, session.root):
            say(f"  {line}")
    return lost


def _accept(items: list[Item], accepted: bool, ask: Callable[[str], str] | None, say: Say) -> bool:
    """Whether NSD's terms are accepted; asked only if some of these files are NSD's."""
    if any(item.group == "nsd" for item in items):
        say(terms.TEXT)
        terms.require_acceptance(accepted, ask)
        return True
    return accepted


def require_folder(config: Config, items: Sequence[Item]) -> None:
    """Refuse to put data into a folder that nobody named."""
    if config.data.root == str(ANY_FOLDER) and any(item.group != "weights" for item in items):
        raise ConfigError(
            "Expected a folder for the data, found none. Give one: havir download --profile "
            f"{config.profile} --data DIR (--dry-run without it shows sizes; --what weights needs "
            "none)."
        )


def _hub_cache(config: Config) -> Path:
    return Path(config.weights.hub_cache or constants.HF_HUB_CACHE).expanduser()


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


def _show(
    new: list[Item], tasks: list[Task], root: Path, say: Say, list_files: bool = False
) -> None:
    if not new:
        say("Everything is here.")
        return
    sizes = {task.path: task.remote.size for task in tasks}
    say(f"Not on this machine, {len(new)} files:")
    for line in table(new, root, sizes):
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


def _check_present(
    session: Session, items: Sequence[Item], sizes: Sizes
) -> tuple[list[str], list[Item]]:
    """What was compared of the files that are here, and those that are damaged."""
    present = [item for item in items if item.path.is_file()]
    checked, broken = [], []
    total = sum(item.path.stat().st_size for item in present)
    with _bar(total, "checking what is here") as bar:
        for item in present:
            before = bar.n
            result = session.intact(item, sizes.get((item.source, item.name)), bar.update)
            checked.append(result) if result else broken.append(item)
            bar.update(before + item.path.stat().st_size - bar.n)
    return [result for result in checked if result], broken


def _fetch_all(session: Session, tasks: Sequence[Task]) -> list[str]:
    """Fetch several files at a time; the first that fails stops the others where they are."""
    checked: list[str] = []
    with _bar(sum(task.remote.size for task in tasks), "downloading") as bar:
        with ThreadPoolExecutor(session.settings.jobs) as pool:
            futures = [pool.submit(_fetch_one, session, task, bar) for task in tasks]
            try:
                done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            finally:  # also when the user interrupts: let each thread end after its block
                unfinished = any(not future.done() for future in futures)
                if unfinished or any(future.exception() for future in futures):
                    session.stop.set()
                    pool.shutdown(wait=True, cancel_futures=True)
        errors = [future.exception() for future in done if future.exception()]
        if errors:
            raise next((e for e in errors if not isinstance(e, Stopped)), errors[0])
        for future in futures:
            checked += future.result()
    return checked


def _fetch_one(session: Session, task: Task, bar: tqdm) -> list[str]:
    if session.stop.is_set():
        raise Stopped
    remote = session.described(task.source, task.name, task.remote)
    source = session.sources[task.source]
    checked = fetch(
        source, task.name, task.path, remote, session.settings, bar.update, session.stop
    )
    if checked == "size only":
        log.warning("%s: the server gives no checksum; only its size was compared", task.path)
    if not task.items[0].member:
        session.ledger(task.items[0]).record(task.path, remote, checked)
        return [checked]
    coco.extract(task.path, {item.member: item.path for item in task.items})
    for item in task.items:
        session.ledger(item).record(item.path, Remote(item.path.stat().st_size), checked)
    task.path.unlink()
    return [checked] * len(task.items)


def _bar(total: int, what: str) -> tqdm:
    # Nothing to do, no bar; tqdm itself shows rate and remaining time.
    return tqdm(
        total=total, desc=what, unit="B", unit_scale=True, disable=not total, dynamic_ncols=True
    )


def _summary(checked: Sequence[str]) -> str:
    ways = [f"{count} {way}" for way, count in Counter(checked).most_common()]
    return f"{len(checked)} files are here; compared: {', '.join(ways) or 'nothing'}."
