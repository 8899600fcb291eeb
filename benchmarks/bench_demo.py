"""Time a whole run and watch its memory: the run and all its kernels, added up.

Memory is proportional set size (shared pages counted once, split among those who share them) where
the system tells it, as Linux does, else resident set size.

    python benchmarks/bench_demo.py                                  in a fresh clone
    python benchmarks/bench_demo.py --profile smoke --workspace /tmp/smoke
"""

import argparse
import json
import sys
import time
from pathlib import Path

import psutil

from havir_lib.paths import workspace_of

EVERY_SECONDS = 1.0


def memory(process: psutil.Process) -> tuple[int, int]:
    """Bytes held by a process and its children, and how many processes that are."""
    total = n = 0
    for one in [process, *process.children(recursive=True)]:
        try:
            info = one.memory_full_info()
        except psutil.Error:  # ended meanwhile
            continue
        total += getattr(info, "pss", info.rss)
        n += 1
    return total, n


def main() -> int:
    """Run a profile in a workspace of its own and print time and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--workspace", type=Path, help="default: the profile's own")
    parser.add_argument("--cores", default="all")
    given = parser.parse_args()
    place = workspace_of(given.profile, given.workspace and str(given.workspace)).root
    if place.exists() and any(place.iterdir()):
        parser.error(f"{place} is not empty: results found there would not be timed")
    command = [sys.executable, "-m", "havir_lib.cli", "run", "--profile", given.profile]
    command += ["--cores", given.cores]
    if given.workspace:
        command += ["--overrides", json.dumps({"workspace": str(place)})]
    start, peak, most = time.monotonic(), 0, 0
    running = psutil.Popen(command)
    while running.poll() is None:
        held, n = memory(running)
        peak, most = max(peak, held), max(most, n)
        time.sleep(EVERY_SECONDS)
    minutes = (time.monotonic() - start) / 60
    print(
        f"{given.profile}: {minutes:.1f} min on {psutil.cpu_count()} CPUs, "
        f"peak memory {peak / 1e9:.1f} GB, at most {most} processes, exit code {running.returncode}"
    )
    return running.returncode


if __name__ == "__main__":
    sys.exit(main())
