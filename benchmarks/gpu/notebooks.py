"""The notebooks on the card: the ``paper`` profile at full width, and ``smoke`` beside its tables.

Steps are started as the runner starts them, several side by side; a card that holds all of them is
expected. Seconds are therefore those of a busy card.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks import bench_full_size
from benchmarks.gpu.kit import Kit
from benchmarks.replica import Replica, overrides_of
from havir_lib.runner.environment import for_step
from havir_lib.workflow import REPORT, Plan, Step

THREADS = 4
TOGETHER = {"cuda": 5, "cpu": 2}
"""Steps side by side."""
EXPECTED = Path(__file__).parent / "smoke_tables"
COMPARED = (
    "table1_rois",
    "table2_voxel_counts",
    "recovery_check",
    "table3_comparison",
    "table4_ablations",
)
ALLOWED = 0.05
"""Largest difference of a score from the CPU's."""
METRICS = ("PixCorr", "SSIM", "MiniCLIP")
"""Of the smoke run: those whose networks need no further packages."""
DERIVED = ("low", "high", "best")
"""Columns that follow from the scores, and may differ where those nearly tie."""


@dataclass(frozen=True)
class Job:
    """A step of one of the runs, and how it ended."""

    run: str
    step: Step
    log: Path
    seconds: float = 0.0
    code: int | None = None

    @property
    def last_words(self) -> str:
        """What it said at the end."""
        lines = self.log.read_text(errors="replace").strip().splitlines() or ["nothing"]
        return lines[-1]


def run(kit: Kit) -> None:
    """Both runs, side by side; then the smoke run's tables against the CPU's."""
    plans = {"paper": paper_plan(kit), "smoke": smoke_plan(kit)}
    variables = {"paper": kit.replica.environment, "smoke": {}}

    def start(name: str, step: Step) -> Job:
        environment = for_step(plans[name].folder, THREADS, variables[name])
        return execute(kit, name, step, environment)

    steps = {
        (name, step.name): step
        for name, plan in plans.items()
        for step in plan.steps
        if step.name != REPORT
    }
    jobs = side_by_side(steps, start, TOGETHER[kit.device.type], lambda job: note(kit, job))
    failed = [f"{job.run} {job.step.name}: {job.last_words}" for job in jobs if job.code]
    left_out = len(steps) - len(jobs)
    kit.table.add("notebooks", "not run: waited for one that failed, or for time", left_out)
    if failed:
        raise AssertionError(f"{len(failed)} of {len(steps)} notebooks failed, first {failed[0]}")
    compare(kit, plans["smoke"].workspace.tables)


def paper_plan(kit: Kit) -> Plan:
    """The ``paper`` profile on simulated subjects of full size, cut to few images."""
    given = argparse.Namespace(
        folder=kit.folder.resolve() / "paper",
        toy=kit.toy,
        subjects=2,
        sessions=1,
        repeats=3 if kit.toy else 15,
        shared=4,
        epochs=1,
        steps=2,
    )
    root = kit.replica.root
    replica = Replica(root, overrides_of(root, kit.sizes))
    settings = bench_full_size.overrides(given, replica) | {"device": kit.device.type}
    return Plan.of("paper", settings)


def smoke_plan(kit: Kit) -> Plan:
    """The ``smoke`` profile on this device."""
    workspace = str(kit.folder.resolve() / "smoke")
    own = {"workspace": workspace, "device": kit.device.type}
    return Plan.of("smoke", {**own, "evaluation.metrics": list(METRICS)})


def execute(kit: Kit, name: str, step: Step, environment: dict[str, str]) -> Job:
    """One step in a process of its own, ended when the kit's time is over."""
    log = Path(step.log)
    log.parent.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    with log.open("wb") as stream:
        options = {"cwd": step.cwd, "env": environment, "stdout": stream, "stderr": stream}
        try:
            limit = max(kit.left, 1.0)
            code = subprocess.run(step.command, timeout=limit, **options).returncode
        except subprocess.TimeoutExpired:
            stream.write(b"\nstopped when the kit's time was over\n")
            code = 124
    return Job(name, step, log, time.monotonic() - start, code)


def side_by_side(
    steps: dict[tuple[str, str], Step],
    start: Callable[[str, Step], Job],
    together: int,
    on_end: Callable[[Job], None],
) -> list[Job]:
    """Run steps as soon as those that they wait for have ended well, at most so many at a time."""
    waiting, ended, running = dict(steps), [], {}
    good: set[tuple[str, str]] = set()
    with ThreadPoolExecutor(together) as pool:
        while True:
            for key in _ready(waiting, good)[: together - len(running)]:
                running[pool.submit(start, key[0], waiting.pop(key))] = key
            if not running:
                return ended
            for done in _first(running):
                key, job = running.pop(done), done.result()
                ended.append(job)
                on_end(job)
                if job.code == 0:
                    good.add(key)


def _ready(
    waiting: dict[tuple[str, str], Step], good: set[tuple[str, str]]
) -> list[tuple[str, str]]:
    able = [
        key for key, step in waiting.items() if all((key[0], name) in good for name in step.after)
    ]
    return sorted(able, key=lambda key: -waiting[key].priority)


def _first(running: dict[Future, tuple[str, str]]) -> set[Future]:
    return wait(running, return_when=FIRST_COMPLETED).done


def note(kit: Kit, job: Job) -> None:
    """A row for a step that has ended."""
    words = "" if job.code == 0 else f"FAILED: {job.last_words}"
    kit.table.add(job.run, job.step.name, job.seconds, "s", words)


def compare(kit: Kit, tables: Path) -> None:
    """Largest difference of each table from the one that a CPU made.

    Raises
    ------
    AssertionError
        If one is missing, has other rows, or differs by more than is allowed.
    """
    for name in COMPARED:
        found, expected = (pd.read_csv(folder / f"{name}.csv") for folder in (tables, EXPECTED))
        difference = table_difference(found, expected)
        note = f"{len(found)} rows; allowed: {ALLOWED:g}"
        kit.table.add("smoke", f"{name}, largest difference from the CPU's", difference, "", note)
        if not difference <= ALLOWED:
            raise AssertionError(f"{name} differs from the CPU's by {difference:.3g}")


def table_difference(found: pd.DataFrame, expected: pd.DataFrame) -> float:
    """Largest difference of two tables' values; what names the rows must be equal.

    Metrics that `found` does not have are left aside.

    Raises
    ------
    AssertionError
        If the rows are others.
    """
    if "metric" in expected:
        expected = expected[expected["metric"].isin(found["metric"])]
    rows = [row_names(table, expected) for table in (found, expected)]
    if rows[0] != rows[1]:
        raise AssertionError(f"{len(rows[0])} rows, expected the same {len(rows[1])} as on a CPU")
    if "value" not in expected:
        return 0.0
    return float(np.abs(found["value"].to_numpy() - expected["value"].to_numpy()).max(initial=0))


def row_names(table: pd.DataFrame, expected: pd.DataFrame) -> list[list[str]]:
    """What names each row: all of `expected`'s columns that neither are nor follow from scores."""
    names = [column for column in expected if column not in ("value", *DERIVED)]
    words = table.reindex(columns=names).astype(object).fillna("").astype(str)
    return words.to_numpy().tolist()


def main() -> None:
    """Keep the tables of a finished smoke run as those to compare with."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--tables", type=Path, required=True, help="of a smoke run on a CPU")
    given = parser.parse_args()
    EXPECTED.mkdir(exist_ok=True)
    for name in COMPARED:
        shutil.copyfile(given.tables / f"{name}.csv", EXPECTED / f"{name}.csv")


if __name__ == "__main__":
    main()
