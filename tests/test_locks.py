"""Locks: one holder, who is named; file systems and folders that refuse."""

import errno
import fcntl
import os
import subprocess
import sys

import pytest

from havir_lib.cache.store import cached
from havir_lib.data.hdf5 import open_dataset
from havir_lib.download.session import Session
from havir_lib.errors import HavirError, RunError
from havir_lib.locks import NO_LOCKS, holder, take
from havir_lib.runner.cards import lease
from havir_lib.runner.supervisor import supervise

pytestmark = pytest.mark.fault("users, folders and file systems")


@pytest.mark.fault("two at once")
def test_a_lock_has_one_holder_who_is_named(tmp_path):
    path = tmp_path / "a.lock"
    first = take(path)
    assert take(path, patience=0) is None
    assert f"process {os.getpid()} of " in holder(path)
    first.release()
    take(path, patience=0).release()


HOLD = """
import sys, time
from pathlib import Path
from havir_lib.locks import take
lock = take(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


@pytest.mark.fault("kills and signals")
def test_a_lock_ends_with_its_process(tmp_path):
    path = tmp_path / "a.lock"
    other = subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "held\n"
    assert take(path, patience=0) is None
    assert f"process {other.pid} of " in holder(path)
    other.kill()
    other.wait()
    take(path, patience=5).release()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"process": 1}', "\udcff"])
def test_a_holder_without_a_name(tmp_path, content):
    path = tmp_path / "a.lock"
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    assert holder(path) == "a process that left no name"
    assert holder(tmp_path / "none.lock") == "a process that left no name"


def _in_cache(folder):
    cached(folder, "kind", {"a": 1}, lambda partial: None)


def _run(folder):
    supervise(folder / "run", {}, "1", [])


def _download(folder, config=None):
    with Session(config, folder, None).alone(folder):
        pass


def _card(folder):
    with lease(["0"]):
        pass


@pytest.mark.parametrize("use", [_in_cache, _run, _download, _card])
@pytest.mark.parametrize("code", sorted(NO_LOCKS))
def test_file_systems_without_locks_are_named(tmp_path, monkeypatch, use, code):
    def refuse(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    with pytest.raises(RunError, match="expected a file system that can lock files, found .* at /"):
        use(tmp_path)


def test_a_lock_that_cannot_be_written_says_so(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(HavirError, match=r"a\.lock.*Read-only file system.*workspace"):
        take(tmp_path / "a.lock")


def test_reading_asks_for_no_lock(tmp_path):
    import h5py

    with h5py.File(tmp_path / "a.hdf5", "w") as file:
        file["x"] = [1, 2, 3]
    with open(tmp_path / "a.hdf5") as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        with pytest.raises(OSError, match="lock"):
            h5py.File(tmp_path / "a.hdf5", "r")
        with open_dataset(tmp_path / "a.hdf5", "x") as found:
            assert found[:].tolist() == [1, 2, 3]
