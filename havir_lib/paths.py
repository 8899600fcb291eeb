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
    """

    root: Path
    figures: Path
    tables: Path

    @property
    def cache(self) -> Path:
        """Results by content, see :mod:`havir_lib.cache`."""
        return self.root / "cache"

    @property
    def notebooks(self) -> Path:
        """Executed notebooks."""
        return self.root / "notebooks"


def workspace_of(profile: str, root: str | None = None) -> Workspace:
    """The workspace of a profile; figures and tables go beside `root` if one is given."""
    if root is None:
        return Workspace(
            PROJECT_ROOT / "results" / profile,
            PROJECT_ROOT / "figures" / profile,
            PROJECT_ROOT / "tables" / profile,
        )
    base = Path(root).expanduser().resolve()
    return Workspace(base, base / "figures", base / "tables")
