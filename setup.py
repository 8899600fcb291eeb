"""Builds the package with what lies beside the library; everything else is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

BESIDE = ("configs", "notebooks", "Snakefile", "tables/published.csv", "tables/reference")
"""Found through havir_lib.paths.shipped."""


class BuildWithBeside(build_py):
    """Also copies `BESIDE` into the package, except where it is installed from its own folder."""

    def run(self) -> None:
        super().run()
        for name in () if self.editable_mode else BESIDE:
            source = Path(__file__).parent / name
            target = Path(self.build_lib) / "havir_lib" / "shipped" / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                hidden = shutil.ignore_patterns(".*", "__pycache__")
                shutil.copytree(source, target, dirs_exist_ok=True, ignore=hidden)
            else:
                shutil.copy2(source, target)


setup(cmdclass={"build_py": BuildWithBeside})
