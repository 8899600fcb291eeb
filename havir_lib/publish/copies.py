"""``havir notebooks``: the notebooks out of the package, to work with."""

from __future__ import annotations

import shutil
from pathlib import Path

from havir_lib.errors import RunError
from havir_lib.paths import shipped


def copy_notebooks(folder: Path) -> Path:
    """Copy the notebooks into ``<folder>/notebooks``, which is returned.

    Raises
    ------
    RunError
        If one that is there already is not the same; nothing is written then.
    """
    place = Path(folder).expanduser().resolve() / "notebooks"
    sources = sorted(shipped("notebooks").glob("*.ipynb"))
    there = [source for source in sources if (place / source.name).exists()]
    changed = [x.name for x in there if (place / x.name).read_bytes() != x.read_bytes()]
    if changed:
        raise RunError(
            f"{place}: expected none of the notebooks, or the same, found others: "
            f"{', '.join(changed)}. Nothing was written; choose another folder."
        )
    place.mkdir(parents=True, exist_ok=True)
    for source in sources:
        shutil.copyfile(source, place / source.name)
    return place
