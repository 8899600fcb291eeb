"""Start Snakemake on a plan, and answer for everything it starts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
from filelock import FileLock

from havir_lib.errors import RunError
from havir_lib.io import read_json, write_json
from havir_lib.locks import holder, take
from havir_lib.paths import PROJECT_ROOT, shipped
from havir_lib.runner import cards, environment, marks, processes, progress
from havir_lib.runner.step import SCHEDULER, STOPPED

PLAN = "plan.json"
SUPERVISOR = "run.lock"
"""Held while a run goes on."""
ELSEWHERE = ("--profile", "--executor", "--workflow-profile")
"""Options by which Snakemake runs steps on other machines, whose cards and memory it counts."""


def supervise(folder: Path, steps: dict[str, dict], cores: str, extra: Sequence[str]) -> int:
    """Run steps to their end or the first failure; Snakemake's exit code.

    Ended by a signal, it ends everything below; killed outright, everything below notices.

    Parameters
    ----------
    folder : Path
        The folder ``run`` of a workspace; nothing in it is touched while another run holds it.
    steps : dict
        Name to :class:`havir_lib.workflow.Step`, as a dict; written to ``plan.json``.
    cores : str
        How many, or ``"all"``.
    extra : sequence of str
        Further arguments for Snakemake.

    Raises
    ------
    RunError
        If another run of this workspace is going on, or its file system has no locks.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(
            f"{error.filename or folder}: results cannot be written there ({error.strerror}). "
            """Check who owns it, or choose another: --overrides '{"workspace": "FOLDER"}'."""
        ) from error
    path = folder / SUPERVISOR
    lock = take(path, patience=3)  # what a killed run left behind ends within two seconds
    if lock is None:
        raise RunError(
            f"Another run is going on in {folder.parent}: {holder(path)}. Wait for it, or end it; "
            """or let this one have a folder of its own: --overrides '{"workspace": "FOLDER"}'."""
        )
    with lock:
        write_json(folder / PLAN, steps)
        marks.unmark_changed(folder, steps)
        (folder / STOPPED).unlink(missing_ok=True)
        processes.pass_signals_on()
        command = snakemake(folder / PLAN, cores, extra)
        with progress.told(folder, steps):
            return subprocess.call(command, cwd=PROJECT_ROOT, env=environment.for_scheduler(folder))


def snakemake(plan: Path, cores: str, extra: Sequence[str]) -> list[str]:
    """Snakemake's command line for a plan."""
    # No lock: a killed run must start again by itself; our cache has locks of its own.
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(shipped("Snakefile"))]
    command += ["--directory", str(plan.parent.parent), "--cores", cores]
    command += ["--nolock", "--rerun-incomplete", "--quiet", "rules", "reason"]
    return command + limits(plan, extra) + list(extra)


def limits(plan: Path, extra: Sequence[str]) -> list[str]:
    """What steps share on this machine: its memory, and its cards if it has any."""
    if any(argument.split("=")[0] in ELSEWHERE for argument in extra):
        return []
    most = max(step["resources"]["mem_mb"] for step in read_json(plan).values())
    memory = max(most, psutil.virtual_memory().total // 2**20)
    found = [f"gpu={len(cards.cards())}"] if cards.cards() else []
    return ["--resources", f"mem_mb={memory}", *found]


def begin(folder: Path) -> FileLock | None:
    """For Snakemake itself: end with the supervisor, and let steps end with Snakemake.

    A Snakemake that another one started, as on Slurm's machines, finds the lock taken.
    """
    if not _free(folder / SUPERVISOR):
        processes.follow(folder / SUPERVISOR)
    return take(folder / SCHEDULER, patience=0)


def _free(path: Path) -> bool:
    lock = take(path, patience=0)
    if lock is not None:
        lock.release()
    return lock is not None


def outcome(folder: Path, code: int) -> str:
    """The last line of a run that stopped: what happened, where, and how to go on."""
    if (path := folder / STOPPED).is_file():
        return "The run stopped in {step}: {what} (log: {log})".format(**read_json(path))
    return f"The run stopped outside of its steps, with code {code}: Snakemake says why, above."
