"""Where things are: the project's own folders and a run's workspace."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

PROJECT_ROOT = Path(os.environ.get("HAVIR_ROOT", Path(__file__).resolve().parent.parent))
CONFIG_DIR = PROJECT_ROOT / "configs"
MINI_WEIGHTS = Path(__file__).resolve().parent / "mini" / "weights"


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
    """The workspace of a profile; figures and tables go beside `root` if one is given.

    Parameters
    ----------
    profile : str
    root : str, optional
        A folder for everything.
    variant : str, optional
        Name of the profile with other settings (:attr:`havir_lib.config.Config.variant`), which
        has its own figures and tables, so that trying something overwrites nothing.
    """
    if root is not None:
        base = Path(root).expanduser().resolve()
        return Workspace(base, base / "figures", base / "tables", base / "cache")
    name = variant or profile
    return Workspace(
        PROJECT_ROOT / "results" / name,
        PROJECT_ROOT / "figures" / name,
        PROJECT_ROOT / "tables" / name,
        PROJECT_ROOT / "results" / profile / "cache",
    )
