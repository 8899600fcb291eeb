"""Run one step of a plan: ``python -m havir_lib.runner.step PLAN NAME``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from havir_lib.io import read_json, write_json
from havir_lib.runner import cards, environment, marks, processes, progress
from havir_lib.runner.explain import explain_code

SCHEDULER = "scheduler.lock"
"""Held by Snakemake while it lives."""
STOPPED = "stopped.json"
"""What the last step that failed said."""


def run_step(plan: Path, name: str) -> int:
    """Run the step called `name` of the file `plan`; its exit code."""
    step, folder = read_json(plan)[name], plan.parent
    processes.pass_signals_on()
    processes.follow(folder / SCHEDULER)
    with card_of(step) as gpu:
        progress.begin(folder, name)
        code = _run(step, environment.for_step(folder, step["threads"], gpu))
        progress.end(folder, name, well=not code)
    lost = [path for path in step["outputs"] if not Path(path).exists()]
    if code or lost:
        _report(folder, name, step, code, lost)
        return code or 1
    marks.mark(folder, name, step)
    return 0


@contextmanager
def card_of(step: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Variables that show a step its card: one of its own, none, or what Slurm gave."""
    names = cards.cards()
    if "SLURM_JOB_ID" in os.environ or not names:
        yield {}
    elif not step["resources"].get("gpu"):
        yield {cards.VISIBLE: ""}
    else:
        with cards.lease(names) as card:
            yield {cards.VISIBLE: card}


def _run(step: Mapping[str, Any], variables: dict[str, str]) -> int:
    log = Path(step["log"])
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as file:
        process = subprocess.Popen(step["command"], cwd=step["cwd"], env=variables, stderr=file)
        return process.wait()


def _report(folder: Path, name: str, step: Mapping[str, Any], code: int, lost: list[str]) -> None:
    said = Path(step["log"]).read_text(encoding="utf-8", errors="replace").strip()
    sys.stderr.write(f"{said}\n")
    what = said.splitlines()[-1] if said and code > 0 else explain_code(code)
    if not code:
        what = f"It ended without an error, but did not make {lost[0]}."
    write_json(folder / STOPPED, {"step": name, "what": what, "log": step["log"]})


if __name__ == "__main__":
    sys.exit(min(255, abs(run_step(Path(sys.argv[1]), sys.argv[2]))))
