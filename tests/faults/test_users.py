"""Another user, folders that can only be read or not at all, no home: a sentence, or it works."""

import ctypes
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from havir_lib.paths import PROJECT_ROOT

pytestmark = pytest.mark.fault("users, folders and file systems")
PR_CAPBSET_DROP, DAC_OVERRIDE, DAC_READ_SEARCH = 24, 1, 2


def obey_permissions():
    """Root, too, is held to the permissions of files, as everybody else is."""
    if os.geteuid() == 0:
        for right in (DAC_OVERRIDE, DAC_READ_SEARCH):
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, right, 0, 0, 0)


@pytest.fixture
def place():
    """A folder whose name has a space and an umlaut."""
    folder = Path(tempfile.mkdtemp(prefix="home of Jürgen "))
    yield folder
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o700)
    shutil.rmtree(folder)


def call(code, *arguments, **variables):
    """Run code as somebody who has no rights over other people's files, and no home."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}
    variables = kept | {"HOME": "/proc/nowhere", "MPLCONFIGDIR": "/proc/nowhere"} | variables
    return subprocess.run(
        [sys.executable, "-B", "-c", code, *map(str, arguments)],
        cwd="/", env=variables | {"PYTHONPATH": str(PROJECT_ROOT)}, preexec_fn=obey_permissions,
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip


HAVIR = "import sys; from havir_lib.cli import main; main()"


def refused(done, *words):
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    for word in words:
        assert word in done.stderr, done.stderr


def test_doctor_needs_no_home():
    done = call(HAVIR, "doctor")
    assert done.returncode == 0, done.stderr
    assert "device:" in done.stdout


@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_results_that_cannot_be_written(place, mode):
    (place / "results").mkdir()
    (place / "results").chmod(mode)
    settings = f'{{"workspace": "{place}/results"}}'
    done = call(HAVIR, "run", "--profile", "smoke", "--overrides", settings)
    refused(done, str(place / "results"), "Permission denied")


def test_a_profile_that_cannot_be_read(place):
    (place / "mine.yaml").write_text("extends: smoke\n")
    (place / "mine.yaml").chmod(0)
    refused(call(HAVIR, "run", "--profile", place / "mine.yaml"), "mine.yaml", "Permission denied")


def test_data_that_cannot_be_listed(place):
    (place / "nsd").mkdir()
    (place / "nsd").chmod(0)
    done = call(HAVIR, "subject", "check", place / "nsd")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "is not readable" in " ".join(done.stderr.replace("│", " ").split())


READ = """
import sys
from pathlib import Path
from havir_lib.errors import DataError
{imports}
path = Path(sys.argv[1])
try:
    {read}
except DataError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("name", "imports", "read", "said"),
    [
        ("1.png", "from havir_lib.evaluation.folder import read_picture_folder",
         "read_picture_folder([path])", "1.png cannot be read"),
        ("betas.hdf5", "from havir_lib.data.hdf5 import open_dataset",
         "open_dataset(path, 'betas').__enter__()",
         "betas.hdf5: cannot be read (Permission denied)"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(place, name, imports, read, said):
    (place / name).write_bytes(b"x")
    (place / name).chmod(0)
    done = call(READ.format(imports=imports, read=read), place / name)
    assert said in done.stdout, done.stderr


def test_a_lock_of_somebody_else(place):
    code = """
import sys
from pathlib import Path
from havir_lib.errors import RunError
from havir_lib.locks import take
try:
    take(Path(sys.argv[1]))
except RunError as error:
    print(error)
"""
    (place / "run.lock").write_text("")
    (place / "run.lock").chmod(0o444)
    assert "expected to write this lock file" in call(code, place / "run.lock").stdout


def test_data_that_can_only_be_read_are_read(run, place):
    """With the cache elsewhere; nothing is written beside the data."""
    code = """
import json, sys
from havir_lib import open_run
from tests.conftest import SMALL
run = open_run("smoke", {**SMALL, "data.root": sys.argv[1], "workspace": sys.argv[2]})
print(run.subject("subj01").betas.shape)
"""
    shutil.copytree(run.data_root, place / "nsd")
    (place / "own").mkdir()
    for path in [*(place / "nsd").rglob("*"), place / "nsd"]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = {path: path.stat().st_mtime_ns for path in (place / "nsd").rglob("*")}
    done = call(code, place / "nsd", place / "own")
    assert done.returncode == 0, done.stderr
    assert str(run.subject("subj01").betas.shape) in done.stdout
    assert before == {path: path.stat().st_mtime_ns for path in (place / "nsd").rglob("*")}
