"""``havir download``: from a profile to complete, checked files."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path

from huggingface_hub import constants
from tqdm import tqdm

from havir_lib.config import Config
from havir_lib.download import coco, terms
from havir_lib.download.display import Say, show, summary
from havir_lib.download.display import bar as progress_bar
from havir_lib.download.items import GROUPS, Group, Item
from havir_lib.download.look import check_present
from havir_lib.download.missing import ANY_FOLDER
from havir_lib.download.plan import (
    Task,
    check_disk,
    drop_unavailable,
    make_tasks,
)
from havir_lib.download.session import Session
from havir_lib.download.sources import Remote
from havir_lib.download.transfer import Stopped, check, fetch
from havir_lib.download.watch import TICK
from havir_lib.errors import ConfigError, DataError

log = logging.getLogger(__name__)

PATIENCE = 3.0
"""Seconds that files which are fetched have to stop when one fails or the user interrupts."""


def fetch_all(
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
    _require_folder(config, session.items())
    items, sizes = session.look()
    items = drop_unavailable(items, sizes)
    new = [item for item in items if not item.path.is_file()]
    show(new, make_tasks(new, sizes), session.root, say)
    for line in terms.terms_of_use(item.path.name for item in new):
        say(line)
    accepted = _accept(new, accept_terms, ask, say)
    with _writing(session, items):
        checked, broken = check_present(session, items, sizes)
        _accept(broken, accepted, ask, say)
        tasks = make_tasks(new + broken, sizes)
        check_disk(tasks)
        session.lock_weights()
        checked += _fetch_all(session, tasks)
    say(summary(checked))
    return new + broken


@contextlib.contextmanager
def _writing(session: Session, items: Sequence[Item]) -> Iterator[None]:
    """Write where no other download does; a folder that cannot be written is a clear error."""
    folder = session.root
    if all(item.group == "weights" for item in items):
        folder = Path(session.config.weights.hub_cache or constants.HF_HUB_CACHE).expanduser()
    try:
        with session.alone(folder):
            yield
    except OSError as error:
        raise DataError(
            f"{error.filename or folder}: expected to be able to write there, found "
            f"{error.strerror or error}. Choose another folder (--data; HF_HOME and TORCH_HOME for "
            "weights) or change its permissions, and run the same command again."
        ) from error


def _accept(items: list[Item], accepted: bool, ask: Callable[[str], str] | None, say: Say) -> bool:
    """Whether NSD's terms are accepted; asked only if some of these files are NSD's."""
    if any(item.group == "nsd" for item in items):
        say(terms.TEXT)
        terms.require_acceptance(accepted, ask)
        return True
    return accepted


def _require_folder(config: Config, items: Sequence[Item]) -> None:
    """Refuse to put data into a folder that nobody named."""
    if config.data.root == str(ANY_FOLDER) and any(item.group != "weights" for item in items):
        raise ConfigError(
            "Expected a folder for the data, found none. Give one: havir download --profile "
            f"{config.given_as} --data DIR (--dry-run without it shows sizes; --what weights needs "
            "none)."
        )


def _fetch_all(session: Session, tasks: Sequence[Task]) -> list[str]:
    """Fetch several files at a time; the first that fails stops the others where they are."""
    checked: list[str] = []
    with progress_bar(sum(task.remote.size for task in tasks), "downloading") as bar:
        pool = ThreadPoolExecutor(session.settings.jobs)
        futures = [pool.submit(_fetch_one, session, task, bar) for task in tasks]
        try:
            _all_or_first_failure(futures)
        finally:  # also when the user interrupts, who does not wait for a server that is silent
            session.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            wait(futures, timeout=PATIENCE)
        done = {future for future in futures if future.done() and not future.cancelled()}
        errors = [future.exception() for future in done if future.exception()]
        if errors:
            raise next((e for e in errors if not isinstance(e, Stopped)), errors[0])
        for future in futures:
            checked += future.result()
    return checked


def _all_or_first_failure(futures: Sequence[Future]) -> None:
    """Wait, and look up often: a Ctrl-C just before one long wait goes unnoticed until its end."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, TICK, FIRST_COMPLETED)
        if any(future.exception() for future in done):
            return


def _fetch_one(session: Session, task: Task, bar: tqdm) -> list[str]:
    if session.stop.is_set():
        raise Stopped
    remote = session.described(task.source, task.name, task.remote)
    checked = _obtain(session, task, remote, bar)
    if checked == "size only":
        log.warning("%s: the server gives no checksum; only its size was compared", task.path)
    if not task.items[0].member:
        session.ledger(task.items[0]).record(task.path, remote, checked)
        return [checked]
    coco.extract_captions(task.path, {item.member: item.path for item in task.items})
    for item in task.items:
        session.ledger(item).record(item.path, Remote(item.path.stat().st_size), checked)
    task.path.unlink()
    return [checked] * len(task.items)


def _obtain(session: Session, task: Task, remote: Remote, bar: tqdm) -> str:
    """Fetch a file, or take the archive that an earlier run could not unpack."""
    if task.items[0].member and task.path.is_file():
        with contextlib.suppress(DataError):
            return check(task.path, remote, task.source, advance=bar.update)
    source = session.sources[task.source]
    return fetch(source, task.name, task.path, remote, session.settings, bar.update, session.stop)
