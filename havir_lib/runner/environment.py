"""Variables of a step's process: the same on every machine, and nothing outside the workspace."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from havir_lib.paths import PROJECT_ROOT, ROOT

FOREIGN = (
    "PYTHONPATH",
    "PYTHONHOME",
    "PYTHONSTARTUP",
    "PYTHONSAFEPATH",
    "MPLSTYLE",
    "MATPLOTLIBRC",
)
"""Would replace packages or settings of this environment by others'."""
THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
CACHE, KEPT = "XDG_CACHE_HOME", "HAVIR_XDG_CACHE_HOME"
INLINE = "module://matplotlib_inline.backend_inline"


def clean() -> dict[str, str]:
    """This process's variables without those that would bring in other packages.

    What is started works for the same folder, wherever it is started.
    """
    kept = {name: value for name, value in os.environ.items() if name not in FOREIGN}
    return kept | {"PYTHONNOUSERSITE": "1", ROOT: str(PROJECT_ROOT)}


def for_scheduler(run_folder: Path) -> dict[str, str]:
    """Variables of Snakemake, which keeps a cache in the home folder and stops without one.

    Steps get theirs back: there are weights in caches, too.
    """
    cache = {CACHE: str(run_folder / "snakemake"), KEPT: os.environ.get(CACHE, "")}
    return {**clean(), **cache}


def for_step(run_folder: Path, threads: int, gpu: Mapping[str, str]) -> dict[str, str]:
    """Variables of one step.

    Parameters
    ----------
    run_folder : Path
        Where Jupyter, IPython and matplotlib keep what they would keep in the home folder.
    threads : int
        Of every numerical library.
    gpu : mapping
        What says which card it sees.
    """
    folders = {
        "MPLCONFIGDIR": "matplotlib",
        "IPYTHONDIR": "ipython",
        "JUPYTER_RUNTIME_DIR": "jupyter/runtime",
        "JUPYTER_CONFIG_DIR": "jupyter/config",
        "JUPYTER_DATA_DIR": "jupyter/data",
    }
    own = {name: str(run_folder / place) for name, place in folders.items()}
    numbers = dict.fromkeys(THREADS, str(threads))
    found = {**clean(), **own, **numbers, "MPLBACKEND": INLINE, **gpu}
    if (cache := found.pop(KEPT, None)) is not None:
        found[CACHE] = cache
    return {name: value for name, value in found.items() if (name, value) != (CACHE, "")}
