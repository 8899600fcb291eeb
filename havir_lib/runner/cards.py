"""One GPU per step: which cards there are, and a lease of one of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from filelock import FileLock

from havir_lib.locks import take

VISIBLE = "CUDA_VISIBLE_DEVICES"


def cards() -> list[str]:
    """Names of the cards of this machine that may be used, as ``CUDA_VISIBLE_DEVICES`` has them.

    Those that this variable names, where it is set (up to the first that is none); else those that
    NVIDIA's own tool lists. torch is not asked: it would take memory on each of them.
    """
    if (named := os.environ.get(VISIBLE)) is not None:
        names = [name.strip() for name in named.split(",")]
        ends = [n for n, name in enumerate(names) if name in {"", "-1", "NoDevFiles", "none"}]
        return names[: ends[0]] if ends else names
    return [str(number) for number in range(_count())]


def _count() -> int:
    if (tool := shutil.which("nvidia-smi")) is None:
        return 0
    listed = subprocess.run([tool, "-L"], capture_output=True, text=True, check=False)
    return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())


@contextmanager
def lease(names: list[str], poll_seconds: float = 0.5) -> Iterator[str]:
    """Hold one of these cards; wait until one is free.

    A lease is a locked file, which the system unlocks when its process ends, however it ends. The
    files lie in the machine's temporary folder, so that two runs do not share a card either.
    """
    paths = {name: _folder() / f"{quote(name, safe='')}.lock" for name in names}
    while (held := _first_free(paths)) is None:
        time.sleep(poll_seconds)
    name, lock = held
    try:
        yield name
    finally:
        lock.release()


def _folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"havir-cards-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    return folder


def _first_free(paths: dict[str, Path]) -> tuple[str, FileLock] | None:
    tried = ((name, take(path, patience=0)) for name, path in paths.items())
    return next(((name, lock) for name, lock in tried if lock is not None), None)
