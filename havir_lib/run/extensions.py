"""Files of one's own that a profile names: methods and metrics for every step of a run."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

from havir_lib.errors import ConfigError
from havir_lib.paths import PROJECT_ROOT
from havir_lib.run.methods import METHODS, registering


def files_of(extensions: Sequence[str]) -> list[Path]:
    """The files that ``extensions`` names, each beside the notebooks unless it is absolute.

    Raises
    ------
    ConfigError
        If one does not exist.
    """
    files = [PROJECT_ROOT / "notebooks" / name for name in extensions]
    for file in files:
        if not file.is_file():
            raise ConfigError(
                f"extensions names {file}, which does not exist. Put it beside the notebooks, or "
                "give its absolute path."
            )
    return files


def load_extensions(extensions: Sequence[str]) -> None:
    """Run the files that a profile names, which register their methods and metrics.

    Raises
    ------
    ConfigError
        If one does not exist, or fails.
    """
    for file in files_of(extensions):
        name = f"own_{file.stem}"
        spec = importlib.util.spec_from_file_location(name, file)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # so that the source of its functions can be found
        try:
            with registering(str(file)):
                spec.loader.exec_module(module)
        except Exception as error:
            raise ConfigError(f"{file} could not be run: {error!r}") from error


def added_methods(extensions: Sequence[str]) -> dict[str, str]:
    """Methods that are not the companion's own → the file they come from, or "" for a notebook.

    Those of files that `extensions` does not name are left out.
    """
    files = {"", *map(str, files_of(extensions))}
    return {name: x.origin for name, x in METHODS.items() if x.added and x.origin in files}
