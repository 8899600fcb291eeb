"""Say what a run does, how far it is, and how long it still takes; from the first second on.

Snakemake says which step has ended. This says what goes on in between: a line whenever a step
begins or ends, and every half minute. How long is left is estimated from what the same steps took
the last time here, else from what they take in the demo, scaled to this machine by those that are
done.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from havir_lib.io import read_json, write_json
from havir_lib.paths import FIGURE
from havir_lib.runner.marks import DONE

RUNNING = "running"
"""Below a run's folder: a mark per step that goes on, and what each took."""
EVERY = 30.0
LOOK = 1.0
TYPICAL = {
    "00": 130, "01": 22, "02": 17, "03": 38, "04": 70, "05": 48, "06": 115, "07": 115, "08": 110,
    "09": 60, "10": 800, "11": 90, "12": 240, "report": 35,
}  # fmt: skip
"""Seconds of the demo's notebooks on two CPU cores, by the first two letters of a step's name."""


def begin(folder: Path, name: str) -> None:
    """Mark a step as going on."""
    path = folder / RUNNING / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


def end(folder: Path, name: str, well: bool) -> None:
    """Take the mark away, and remember how long it took."""
    path = folder / RUNNING / name
    if not path.is_file():
        return
    seconds = time.time() - path.stat().st_mtime
    path.unlink(missing_ok=True)
    if well:
        write_json(folder / RUNNING / f"{name}.took", round(seconds, 1))


def took(folder: Path) -> dict[str, float]:
    """Seconds of each step whose time is known."""
    known: dict[str, float] = {}
    for path in sorted((folder / RUNNING).glob("*.took")):
        try:
            known[path.stem] = float(read_json(path))
        except (ValueError, TypeError, OSError):
            path.unlink(missing_ok=True)
    return known


@contextmanager
def told(
    folder: Path, steps: Mapping[str, dict], say: Callable[[str], None] | None = None
) -> Iterator[None]:
    """Say how a run goes on, until the block ends."""
    for path in (folder / RUNNING).glob("*"):
        if path.suffix != ".took":  # of a run that was killed
            path.unlink(missing_ok=True)
    over = threading.Event()
    teller = threading.Thread(target=_tell, args=(folder, steps, over, say or _print), daemon=True)
    teller.start()
    try:
        yield
    finally:
        over.set()
        teller.join(timeout=5)


def _print(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def _tell(
    folder: Path, steps: Mapping[str, dict], over: threading.Event, say: Callable[[str], None]
) -> None:
    start, before, last = time.monotonic(), None, -EVERY
    began, waiting = time.time(), True
    known = took(folder)  # of the last time
    first = _marks(folder / DONE, steps)
    while not over.wait(LOOK):
        running, done = _marks(folder / RUNNING, steps), _marks(folder / DONE, steps)
        now = time.monotonic()
        if running and (before != (running, done) or now - last >= EVERY):
            left = seconds_left(steps, running, done, first, known, took(folder), _since(folder))
            say(line(now - start, len(done), len(steps), running, left))
            before, last = (running, done), now
        if waiting and (path := first_picture(steps, began)):
            say(f"[{_clock(now - start)}] first picture: {path}")
            waiting = False


def first_picture(steps: Mapping[str, dict], since: float) -> str | None:
    """A figure that a step has drawn since a time, as seen from here."""
    for step in steps.values():
        for name in step.get("outputs", ()):
            path = Path(name)
            if path.suffix == FIGURE and path.is_file() and path.stat().st_mtime >= since:
                return os.path.relpath(path)
    return None


def _marks(folder: Path, steps: Mapping[str, dict]) -> tuple[str, ...]:
    found = set(os.listdir(folder)) if folder.is_dir() else set()
    return tuple(name for name in steps if name in found)


def _since(folder: Path) -> dict[str, float]:
    """Seconds since each step began."""
    since = {}
    for path in (folder / RUNNING).glob("*"):
        try:
            since[path.name] = time.time() - path.stat().st_mtime
        except OSError:  # it has just ended
            continue
    return since


def seconds_left(
    steps: Mapping[str, dict],
    running: tuple[str, ...],
    done: tuple[str, ...],
    first: tuple[str, ...],
    known: Mapping[str, float],
    now: Mapping[str, float],
    since: Mapping[str, float],
) -> float | None:
    """About how long the rest takes; None while nothing says it.

    Parameters
    ----------
    steps : mapping
        Name → step, with ``after`` and ``threads``.
    running, done, first : tuple of str
        Steps that go on, that are done, and that were done when the run began.
    known, now : mapping
        Seconds by step, of the last time and of this.
    since : mapping
        Seconds that the steps that go on have taken so far.
    """
    expected = {name: known.get(name) or TYPICAL.get(name[:2], TYPICAL.get(name)) for name in steps}
    fresh = [name for name in done if name not in first and name in now and expected[name]]
    if any(value is None for value in expected.values()):
        return None
    paces = {name: now[name] for name in fresh}
    paces |= {name: since[name] for name in running if since.get(name, 0.0) > expected[name]}
    slower = sum(paces.values()) / sum(expected[name] for name in paces) if paces else 1.0
    ends: dict[str, float] = dict.fromkeys(done, 0.0)
    for name in steps:  # each comes after those that it waits for
        if name not in done:
            own = slower * expected[name]
            if name in running:
                own = max(own - since.get(name, 0.0), 0.1 * own)
            ends[name] = own + max(
                (ends.get(other, 0.0) for other in steps[name]["after"]), default=0
            )
    work = sum(
        max(slower * expected[name] - since.get(name, 0.0), 0.0) * steps[name]["threads"]
        for name in steps
        if name not in done
    )
    cores = sum(steps[name]["threads"] for name in running)
    return max(max(ends.values(), default=0.0), work / max(cores, 1))


def line(elapsed: float, n_done: int, n: int, running: tuple[str, ...], left: float | None) -> str:
    """One line for a terminal."""
    names = ", ".join(name.replace("_", " ") for name in running)
    rest = "" if left is None else f", about {_minutes(left)} left"
    return f"[{_clock(elapsed)}] {n_done} of {n} steps done{rest}: {names}"


def _clock(seconds: float) -> str:
    return f"{int(seconds // 60)}:{int(seconds % 60):02d}"


def _minutes(seconds: float) -> str:
    return f"{round(seconds / 60)} min" if seconds >= 90 else f"{max(10, round(seconds, -1)):.0f} s"
