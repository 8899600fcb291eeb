"""The library installed from a wheel works in any folder, without the project's own."""

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

from havir_lib.paths import FIGURE, PROJECT_ROOT

WANTED = (
    "havir_lib/shipped/configs/demo.yaml",
    "havir_lib/shipped/configs/slurm/config.yaml",
    "havir_lib/shipped/notebooks/00_start_here.ipynb",
    "havir_lib/shipped/Snakefile",
    "havir_lib/shipped/tables/published.csv",
    "havir_lib/shipped/tables/reference/demo-float32.csv",
    "havir_lib/plots/havir.mplstyle",
    "havir_lib/mini/weights/vae/diffusion_pytorch_model.safetensors",
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Built from a copy of what git would ship, so that nothing is written here."""
    copy, made = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheel")
    keep = ["havir_lib", *["pyproject.toml", "setup.py", "MANIFEST.in", "README.md", "LICENSE"]]
    keep += ["configs", "notebooks", "Snakefile", "tables/published.csv", "tables/reference"]
    for name in keep:
        (copy / name).parent.mkdir(exist_ok=True)
        subprocess.run(["cp", "-r", PROJECT_ROOT / name, copy / name], check=True)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*command, "-w", made, copy], check=True)
    return next(made.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """Python of an environment that has the wheel, and this environment's other packages."""
    place = tmp_path_factory.mktemp("own environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    packages = next(place.glob("lib/python*/site-packages"))
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(packages)
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return place / "bin" / "python"


def call(python, *arguments, cwd):
    variables = {name: x for name, x in os.environ.items() if not name.startswith("PYTHON")}
    command = [python, *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_holds_what_the_library_needs(wheel):
    names = set(zipfile.ZipFile(wheel).namelist())
    assert not [name for name in WANTED if name not in names]
    here = {f"havir_lib/shipped/notebooks/{x.name}" for x in PROJECT_ROOT.glob("notebooks/*.ipynb")}
    assert here <= names
    assert not [name for name in names if "__pycache__" in name]


def test_it_runs_in_any_folder(installed, tmp_path):
    where = call(installed, "-c", "import havir_lib; print(havir_lib.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parents[1])
    assert "device:" in call(installed, "-m", "havir_lib", "doctor", cwd=tmp_path)
    options = ["--profile", "smoke", "--overrides", '{"simulation.trials_per_session": 75}']
    until = ["--", "--until", "01_roi_definition"]
    call(installed, "-m", "havir_lib", "run", *options, *until, cwd=tmp_path)
    made = {path.relative_to(tmp_path).parts[0] for path in tmp_path.rglob(f"*{FIGURE}")}
    assert made == {"figures"}
    assert {path.name for path in tmp_path.iterdir()} == {"figures", "tables", "results"}


def test_notebooks_are_copied_out_and_used_from_there(installed, tmp_path):
    call(installed, "-m", "havir_lib", "notebooks", tmp_path, cwd=tmp_path)
    call(installed, "-m", "havir_lib", "notebooks", tmp_path, cwd="/")  # the same again: no harm
    copied = {path.name for path in (tmp_path / "notebooks").iterdir()}
    assert copied == {path.name for path in (PROJECT_ROOT / "notebooks").glob("*.ipynb")}
    ask = "from havir_lib.paths import NOTEBOOKS, PROJECT_ROOT; print(NOTEBOOKS, PROJECT_ROOT)"
    for folder in (tmp_path, tmp_path / "notebooks"):
        assert call(installed, "-c", ask, cwd=folder).split() == [
            str(tmp_path / "notebooks"),
            str(tmp_path),
        ]


def test_changed_notebooks_are_not_overwritten(installed, tmp_path):
    (tmp_path / "notebooks").mkdir()
    own = tmp_path / "notebooks" / "03_targets.ipynb"
    own.write_text("mine")
    command = [installed, "-m", "havir_lib", "notebooks", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert "found others: 03_targets.ipynb. Nothing was written" in done.stderr
    assert [path.name for path in (tmp_path / "notebooks").iterdir()] == [own.name]
