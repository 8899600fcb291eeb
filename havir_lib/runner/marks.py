"""Which steps of a plan are done: a file per step in ``done``, which holds the step's key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from havir_lib.io import write_text

DONE = "done"


def mark(folder: Path, name: str, step: Mapping) -> None:
    """Say that a step has made all its outputs, from what its key stands for."""
    write_text(folder / DONE / name, step["key"])


def unmark_changed(folder: Path, steps: Mapping[str, Mapping]) -> list[str]:
    """Take the mark from each step that is to run again; the names of those still done, in order.

    It runs again if its key is another now, an output is missing, or a step before it runs.
    """
    done: list[str] = []
    for name in _in_order(steps):
        step, path = steps[name], folder / DONE / name
        whole = path.is_file() and all(Path(output).exists() for output in step["outputs"])
        if whole and path.read_text() == step["key"] and set(step["after"]) <= set(done):
            done.append(name)
        else:
            path.unlink(missing_ok=True)
    return [name for name in steps if name in done]


def _in_order(steps: Mapping[str, Mapping]) -> list[str]:
    """Names, each after those it waits for."""
    order: dict[str, None] = {}

    def visit(name: str) -> None:
        for other in steps[name]["after"]:
            visit(other)
        order.setdefault(name)

    for name in steps:
        visit(name)
    return list(order)
