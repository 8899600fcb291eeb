"""However a run ends, nothing of it goes on, and it says what happened."""

import os
import signal
import sys
import time

import psutil
import pytest

from tests.runner.conftest import step

pytestmark = pytest.mark.fault("kills and signals")


def pid_of(path):
    deadline = time.monotonic() + 60
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return int(path.read_text())


def _lives(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:  # also where it ends between two questions
        return False


def gone(pid, seconds=15):
    deadline = time.monotonic() + seconds
    while _lives(pid):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("whom", ["group", "parent"])
def test_a_signal_ends_everything(start, tmp_path, number, whom):
    process = start(tmp_path, {"s": step(tmp_path, "s", seconds=300)})
    work = pid_of(tmp_path / "s.began")
    if whom == "group":
        os.killpg(process.pid, number)
    else:
        os.kill(process.pid, number)
    assert process.wait(timeout=30) != 0
    assert gone(work)
    assert not (tmp_path / "s.json").exists()


def test_a_run_that_was_ended_goes_on(start, tmp_path):
    steps = {"a": step(tmp_path, "a"), "b": step(tmp_path, "b", seconds=300, after=["a"])}
    process = start(tmp_path, steps)
    work = pid_of(tmp_path / "b.began")
    process.terminate()
    process.wait(timeout=30)
    assert gone(work)
    before = (tmp_path / "a.json").read_text()
    steps["b"] = step(tmp_path, "b", after=["a"])
    said, _ = start(tmp_path, steps).communicate(timeout=60)
    assert said.strip().endswith("done")
    assert (tmp_path / "a.json").read_text() == before


@pytest.mark.fault("two at once")
def test_two_runs_of_one_workspace_are_refused(start, tmp_path):
    steps = {"s": step(tmp_path, "s", seconds=30)}
    first = start(tmp_path, steps)
    pid_of(tmp_path / "s.began")
    plan = (tmp_path / "run" / "plan.json").read_text()
    said, _ = start(tmp_path, {"t": step(tmp_path, "t")}).communicate(timeout=60)
    assert "Another run is going on" in said
    assert f"process {first.pid} of " in said
    assert first.poll() is None
    assert (tmp_path / "run" / "plan.json").read_text() == plan
    assert not (tmp_path / "t.json").exists()


FAILURES = {
    "import sys; print('Traceback…\\nOSError: so', file=sys.stderr); sys.exit(3)": "OSError: so",
    "import os; os.kill(os.getpid(), 9)": "killed, as the system does when memory runs out",
    "pass": "did not make",
}


@pytest.mark.parametrize("code", FAILURES)
def test_the_last_line_says_what_happened(start, tmp_path, code):
    failing = step(tmp_path, "s") | {"command": [sys.executable, "-c", code]}
    process = start(tmp_path, {"s": failing})
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 1
    last = said.strip().splitlines()[-1]
    assert last.startswith("The run stopped in s: ")
    assert FAILURES[code] in last
    assert str(tmp_path / "logs" / "s.txt") in last
