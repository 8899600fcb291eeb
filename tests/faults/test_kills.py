"""Work that is ended at any point leaves nothing half-written, and goes on to the same bytes."""

import os
import signal
import subprocess
import sys
import time

import pytest

from havir_lib.cache.store import cached, content_of, is_finished
from havir_lib.io import write_text

pytestmark = pytest.mark.fault("kills and signals")

N = 6
BUILD = """
import signal, sys, time
for number in (signal.SIGINT, signal.SIGHUP):  # ignored by what is started in the background
    signal.signal(number, signal.SIG_DFL)
from pathlib import Path
from havir_lib.cache.store import cached
from havir_lib.io import write_text

def build(folder):
    for n in range(6):
        if not (folder / f"{n}.txt").is_file():
            write_text(folder / f"{n}.txt", "x" * 100000 * n)
        print(n, flush=True)
        time.sleep(float(sys.argv[2]))

cached(Path(sys.argv[1]), "things", {"a": 1}, build)
"""


def start(root, pause):
    command = [sys.executable, "-c", BUILD, str(root), str(pause)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)


def whole(root):
    def build(folder):
        for n in range(N):
            write_text(folder / f"{n}.txt", "x" * 100000 * n)

    return cached(root, "things", {"a": 1}, build)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
@pytest.mark.parametrize("after", [0, 2, 5])
def test_a_result_is_there_as_a_whole_or_not_at_all(tmp_path, number, after):
    expected = content_of(whole(tmp_path / "expected"))
    process = start(tmp_path / "killed", pause=20)
    while int(process.stdout.readline()) < after:
        process.send_signal(signal.SIGCONT)
        break
    process.send_signal(number)
    assert process.wait(timeout=30) != 0
    folders = list((tmp_path / "killed" / "things").glob("*[!k]"))
    assert not [folder for folder in folders if folder.is_dir() and is_finished(folder)]
    assert start(tmp_path / "killed", pause=0).wait(timeout=60) == 0
    made = whole(tmp_path / "killed")  # found, not built: the same key
    assert content_of(made) == expected
    assert {path.name for path in made.parent.iterdir()} == {made.name, f"{made.name}.lock"}


def test_whoever_waits_for_a_killed_one_makes_it(tmp_path):
    first = start(tmp_path, pause=20)
    first.stdout.readline()
    second = start(tmp_path, pause=0)
    time.sleep(1)
    assert second.poll() is None
    first.kill()
    assert second.wait(timeout=60) == 0
    assert content_of(whole(tmp_path)) == content_of(whole(tmp_path / "expected"))


@pytest.mark.fault("two at once")
def test_two_that_need_the_same_result_build_it_once(tmp_path):
    processes = [start(tmp_path, pause=0.1) for _ in range(3)]
    said = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert sorted(len(text.split()) for text in said) == [0, 0, N]


TRAIN = """
import sys
from pathlib import Path
from tests.training.test_loop import run
print("ready", flush=True)
run(Path(sys.argv[1]), checkpoint_seconds=0)
"""


@pytest.mark.fault("kills and signals", slow=True)
def test_training_that_is_killed_again_and_again_ends_with_the_same_bytes(tmp_path, tried):
    from tests.training.test_loop import contents, run

    run(tmp_path / "whole")
    kills = 0
    for wait in (0.02, 0.05, 0.1, 0.2, 0.4, 0.8):
        command = [sys.executable, "-c", TRAIN, str(tmp_path / "parts")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=os.getcwd())
        process.stdout.readline()
        time.sleep(wait)
        process.kill()
        kills += process.wait() == -signal.SIGKILL
    run(tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert kills
    tried(kills)
