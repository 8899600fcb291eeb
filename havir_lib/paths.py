"""Where things are: the project's own folders and a run's workspace."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PACKAGE = Path(__file__).resolve().parent
MINI_WEIGHTS = PACKAGE / "mini" / "weights"
IN_CHECKOUT = (PACKAGE.parent / "pyproject.toml").is_file()
"""Whether this is the project's own folder, rather than a package that was installed from it."""
ROOT = "HAVIR_ROOT"
FIRST = "notebooks/00_start_here.ipynb"
FIGURE = ".webp"
"""Suffix of figures; a PDF lies beside each."""


def _project_root() -> Path:
    if given := os.environ.get(ROOT):
        return Path(given).resolve()
    if IN_CHECKOUT:
        return PACKAGE.parent
    here = Path.cwd()
    return next((folder for folder in (here, *here.parents) if (folder / FIRST).is_file()), here)


PROJECT_ROOT = _project_root()
"""Where results, figures and tables go.

The project's folder; of an installed package the folder that notebooks were copied to, seen from
the current one, or the current one itself. ``HAVIR_ROOT`` names another.
"""


def shipped(name: str) -> Path:
    """A file or folder that the project ships beside its library, e.g. ``"configs"``."""
    return (PACKAGE.parent if IN_CHECKOUT else PACKAGE / "shipped") / name


CONFIG_DIR = shipped("configs")
NOTEBOOKS = PROJECT_ROOT / "notebooks" if (PROJECT_ROOT / FIRST).is_file() else shipped("notebooks")


@dataclass(frozen=True)
class Workspace:
    """The folders of one run.

    Attributes
    ----------
    root : Path
        Everything that can be computed again; git-ignored.
    figures, tables : Path
        What the run is for.
    cache : Path
        Results by content, see :mod:`havir_lib.cache`; shared by all variants of a profile.
    """

    root: Path
    figures: Path
    tables: Path
    cache: Path

    @property
    def notebooks(self) -> Path:
        """Executed notebooks."""
        return self.root / "notebooks"


def workspace_of(profile: str, root: str | None = None, variant: str | None = None) -> Workspace:
    """The workspace of a profile; figures, tables and cache go into `root` if one is given.

    Parameters
    ----------
    profile : str
    root : str, optional
        A folder for everything; a variant has a folder of its own in it.
    variant : str, optional
        Name of the profile with other settings (:attr:`havir_lib.config.Config.variant`), which
        has its own figures and tables, so that trying something overwrites nothing.
    """
    name = variant or profile
    if root is not None:
        base = Path(root).expanduser().resolve()
        place = base if name == profile else base / name
        return Workspace(place, place / "figures", place / "tables", base / "cache")
    return Workspace(
        PROJECT_ROOT / "results" / name,
        PROJECT_ROOT / "figures" / name,
        PROJECT_ROOT / "tables" / name,
        PROJECT_ROOT / "results" / profile / "cache",
    )
