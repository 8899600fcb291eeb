"""Which steps of a plan are done: a file per step in ``done``, which holds the step's key."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import TopologicalSorter
from pathlib import Path

from havir_lib.io import write_text

DONE = "done"


def mark(folder: Path, name: str, step: Mapping) -> None:
    """Say that a step has made all its outputs, from what its key stands for."""
    write_text(folder / DONE / name, step["key"])


def still_done(folder: Path, steps: Mapping[str, Mapping]) -> set[str]:
    """Names of the steps that need not run again.

    One runs again if its key is another now, an output is missing, or a step before it runs.
    """
    done: set[str] = set()
    after = {name: step["after"] for name, step in steps.items()}
    for name in TopologicalSorter(after).static_order():
        step, path = steps[name], folder / DONE / name
        whole = path.is_file() and all(Path(output).exists() for output in step["outputs"])
        if whole and path.read_text() == step["key"] and done.issuperset(step["after"]):
            done.add(name)
    return done


def unmark_changed(folder: Path, steps: Mapping[str, Mapping]) -> set[str]:
    """Take the mark from each step that is to run again; the names of those still done."""
    done = still_done(folder, steps)
    for name in steps.keys() - done:
        (folder / DONE / name).unlink(missing_ok=True)
    return done
