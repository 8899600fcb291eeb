"""Plans of recorded fake work, which the real scheduler and the real runner carry out."""

import json
import os
import subprocess
import sys
import time

import pytest

from havir_lib.paths import PROJECT_ROOT

WORK = """
import json, os, sys, time
start = time.time()
name, seconds, folder = sys.argv[1], float(sys.argv[2]), sys.argv[3]
open(f"{folder}/{name}.began", "w").write(str(os.getpid()))
time.sleep(seconds)
card = os.environ.get("CUDA_VISIBLE_DEVICES")
told = {"card": card, "start": start, "end": time.time(), "threads": os.environ["OMP_NUM_THREADS"]}
json.dump(told, open(f"{folder}/{name}.json", "w"))
"""


def step(folder, name, seconds=0.3, after=(), gpu=0, mem_mb=100, threads=1):
    """A step that notes when it ran, and on which card."""
    return {
        "command": [sys.executable, "-c", WORK, name, str(seconds), str(folder)],
        "cwd": str(folder),
        "after": list(after),
        "outputs": [str(folder / f"{name}.json")],
        "log": str(folder / "logs" / f"{name}.txt"),
        "threads": threads,
        "resources": {"mem_mb": mem_mb} | ({"gpu": 1} if gpu else {}),
        "priority": 0,
        "key": "1",
    }


SUPERVISE = """
import json
import sys
from pathlib import Path
from havir_lib.runner.supervisor import outcome, supervise
folder = Path(sys.argv[1])
code = supervise(folder, json.loads(sys.argv[2]), sys.argv[3], sys.argv[4:])
print(outcome(folder, code) if code else "done", flush=True)
sys.exit(code)
"""


@pytest.fixture
def start(tmp_path):
    """Function that starts a plan, in a process of its own."""
    started = []

    def begin(folder, steps, *extra, cores="8", **variables):
        process = subprocess.Popen(
            [
                sys.executable,
                "-c",
                SUPERVISE,
                str(folder / "run"),
                json.dumps(steps),
                cores,
                *extra,
            ],
            cwd=PROJECT_ROOT,
            env=os.environ | {"TMPDIR": str(tmp_path), **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            process.terminate()


@pytest.fixture
def wait_for():
    """Function that waits until a file is there."""

    def wait(path, seconds=60):
        deadline = time.monotonic() + seconds
        while not path.exists():
            assert time.monotonic() < deadline, f"{path} did not appear"
            time.sleep(0.05)

    return wait
