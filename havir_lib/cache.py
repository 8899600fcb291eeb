"""Results cached by content: the key is a hash of everything the result depends on.

A folder ``<root>/<kind>/<key>/`` appears only when its content is complete. Until then the work
lives in ``<key>.partial/``, which survives a crash, so that long builds can resume inside it.
"""

import functools
import logging
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

from havir_lib.io import read_json, write_json
from havir_lib.provenance import digest

log = logging.getLogger(__name__)


def cached(root: Path, kind: str, recipe: dict[str, Any], build: Callable[[Path], None]) -> Path:
    """Return the folder of a finished result, building it first if it is not there.

    Parameters
    ----------
    root : Path
        Cache folder of the workspace.
    kind : str
        What is cached, e.g. ``"targets"``; becomes a sub-folder.
    recipe : dict
        Everything the result depends on: settings, hashes of inputs, hash of the source code.
        JSON-like; arrays and pydantic models are allowed.
    build : callable
        ``build(folder)`` writes the result into `folder`, which may hold the remains of an
        interrupted build to resume from.

    Returns
    -------
    Path
        ``<root>/<kind>/<key>``; its ``recipe.json`` says what it was made from.
    """
    key = digest(recipe)
    folder = Path(root) / kind / key
    if is_finished(folder):
        _say_once(kind)
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.with_suffix(".lock")):
        if not is_finished(folder):  # another process may have finished it while we waited
            log.info("%s: computing (%s)", kind, key)
            _build(folder, recipe, build)
            log.info("%s: done (%s)", kind, key)
    return folder


@functools.cache  # a notebook may ask for dozens of results; the reader needs one line per kind
def _say_once(kind: str) -> None:
    log.info("%s: found in cache", kind)


def is_finished(folder: Path) -> bool:
    """Whether `folder` holds a finished result."""
    return (folder / "recipe.json").is_file()


def recipe_of(folder: Path) -> dict[str, Any]:
    """What a finished result was made from."""
    return read_json(folder / "recipe.json")


def _build(folder: Path, recipe: dict[str, Any], build: Callable[[Path], None]) -> None:
    partial = folder.with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    build(partial)
    write_json(partial / "recipe.json", _readable(recipe))
    if folder.exists():  # remains without a recipe cannot come from us; never mix with them
        shutil.rmtree(folder)
    os.replace(partial, folder)


def _readable(value: Any) -> Any:
    """The recipe as JSON, with arrays replaced by their hash."""
    if isinstance(value, dict):
        return {str(name): _readable(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_readable(item) for item in value]
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, str | int | float | bool | None):
        return value
    return digest(value)
