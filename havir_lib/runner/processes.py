"""Ending processes with all that they started, and with the process that started them."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psutil

from havir_lib.locks import take

PATIENCE = 10.0
"""Seconds between asking a process to end and ending it."""


def end_children(patience: float = PATIENCE) -> None:
    """End all processes that this one started, and those that they started."""
    family = psutil.Process().children(recursive=True)
    for process in family:
        _quietly(process.terminate)
    _, left = psutil.wait_procs(family, timeout=patience)
    for process in left:
        _quietly(process.kill)


def _quietly(act: Callable[[], None]) -> None:
    with suppress(psutil.NoSuchProcess):
        act()


def pass_signals_on() -> None:
    """Let SIGINT, SIGTERM and SIGHUP end what this process started, then this process."""

    def end(number: int, _frame) -> None:
        end_children()
        os._exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)


def follow(lock: Path) -> None:
    """End with the process that holds `lock`, even if it is killed outright.

    Not within a Slurm job, which the process that submitted it may outlive on another machine.
    """
    if "SLURM_JOB_ID" not in os.environ:
        threading.Thread(target=_end_with, args=(lock,), daemon=True).start()


def _end_with(lock: Path) -> None:
    take(lock)
    end_children(patience=2)
    os._exit(128 + signal.SIGHUP)
