"""Time a whole run and watch its memory: the run and all its kernels, added up.

python -m benchmarks.bench_demo                                  in a fresh clone
python -m benchmarks.bench_demo --profile smoke --workspace /tmp/smoke
"""

import argparse
import json
import sys
from pathlib import Path

import psutil

from benchmarks.measure import watch
from havir_lib.paths import workspace_of


def main() -> int:
    """Run a profile in a workspace of its own and print time and peak memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--workspace", type=Path, help="default: the profile's own")
    parser.add_argument("--cores", default="all")
    parser.add_argument("--full", action="store_true", help="with every baseline and control")
    given = parser.parse_args()
    place = workspace_of(given.profile, given.workspace and str(given.workspace)).root
    if place.exists() and any(place.iterdir()):
        parser.error(f"{place} is not empty: results found there would not be timed")
    command = [sys.executable, "-m", "havir_lib", "run", "--profile", given.profile]
    command += ["--cores", given.cores]
    command += ["--full"] * given.full
    if given.workspace:
        command += ["--overrides", json.dumps({"workspace": str(place)})]
    took = watch(command)
    what = f"{given.profile}{' in full' * given.full}"
    print(
        f"{what}: {took.seconds / 60:.1f} min on {psutil.cpu_count()} CPUs, peak memory "
        f"{took.peak / 1e9:.1f} GB, at most {took.processes} processes, exit code {took.returncode}"
    )
    return took.returncode


if __name__ == "__main__":
    sys.exit(main())
