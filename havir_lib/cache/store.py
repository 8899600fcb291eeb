"""Folders of results, each under a hash of everything it depends on, verified when opened.

A folder ``<root>/<kind>/<key>/`` appears only when its content is complete and on the disk. Until
then the work lives in ``<key>.partial/``, which survives a crash, so that long builds can resume
inside it. ``recipe.json`` says what the result was made from, and size and SHA-256 of every file;
a folder that does not hold these is made again, and the log says so.
"""

from __future__ import annotations

import functools
import json
import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from havir_lib.io import read_json, sha256_of, write_json
from havir_lib.locks import alone
from havir_lib.provenance import digest, stamp

log = logging.getLogger(__name__)

RECIPE = "recipe.json"
FORMAT = 1
"""Of the folders themselves; part of every key."""


def cached(root: Path, kind: str, recipe: dict[str, Any], build: Callable[[Path], None]) -> Path:
    """Return the folder of a finished, undamaged result, building it first if there is none.

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
        ``<root>/<kind>/<key>``.
    """
    key = digest({"format": FORMAT, **recipe})
    folder = Path(root) / kind / key
    note([f"{kind}/{key}"])
    if is_finished(folder):
        _say_once(kind, "found in cache")
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    lock = folder.with_suffix(".lock")
    with alone(lock, lambda who: log.info("%s: waiting for %s, which computes it", kind, who)):
        if not is_finished(folder):  # another process may have finished it while we waited
            _say_if_damaged(folder)
            _say_once(kind, "computing")
            _build(folder, recipe, build)
    return folder


_collected: ContextVar[set[str] | None] = ContextVar("_collected", default=None)


@contextmanager
def collecting() -> Iterator[set[str]]:
    """Collect ``kind/key`` of every result that is used inside the block."""
    used: set[str] = set()
    before = _collected.set(used)
    try:
        yield used
    finally:
        _collected.reset(before)
        note(used)  # whoever asked for this used it, too


def note(results: Iterable[str]) -> None:
    """Say that results were used, also by way of something that was kept in memory."""
    used = _collected.get()
    if used is not None:
        used.update(results)


@functools.cache  # a notebook may ask for dozens of results; the reader needs one line per kind
def _say_once(kind: str, what: str) -> None:
    log.info("%s: %s", kind, what)


def _say_if_damaged(folder: Path) -> None:
    if folder.exists():
        log.warning("%s/%s: %s; it is made again.", folder.parent.name, folder.name, damage(folder))


def is_finished(folder: Path) -> bool:
    """Whether `folder` holds a finished result, whole and unchanged."""
    return not damage(folder)


def damage(folder: Path) -> str:
    """What is wrong with a result, as words; empty if nothing is.

    Sizes are compared at every call, the content once per process and state of the file.
    """
    try:
        files = recipe_of(folder)["files"]
        expected = {name: (int(size), str(content)) for name, (size, content) in files.items()}
    except (FileNotFoundError, NotADirectoryError):
        return "it is not finished"
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError, ValueError,
            AttributeError):  # fmt: skip
        return f"{RECIPE} cannot be read"
    for name, (size, content) in expected.items():
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if (found := path.stat().st_size) != size:
            return f"{name} has {found} bytes instead of {size}"
        if file_content(path) != content:
            return f"the content of {name} has changed since it was made"
    return ""


def file_content(path: Path) -> str:
    """SHA-256 of a file, read again when its size or time of change differs."""
    status = path.stat()
    return _file_content(path, status.st_size, status.st_mtime_ns, status.st_ino)


@functools.lru_cache(maxsize=4096)
def _file_content(path: Path, *_: int) -> str:
    return sha256_of(path)


def recipe_of(folder: Path) -> dict[str, Any]:
    """What a finished result was made from, and the size and SHA-256 of its files."""
    return read_json(folder / RECIPE)


def identity(path: Path) -> list:
    """What a large file that is read counts as in a key; it is not read for that.

    Its content, if it is part of a finished result, whose recipe has it: equal runs in other
    folders have equal keys. Else its name, size and time of change.
    """
    for folder in Path(path).parents:
        if (folder / RECIPE).is_file():
            known = _files_of(folder, (folder / RECIPE).stat().st_mtime_ns)
            if found := known.get(Path(path).relative_to(folder).as_posix()):
                return [Path(path).name, *found]
    return stamp(path)


@functools.lru_cache(maxsize=16)
def _files_of(folder: Path, _changed_ns: int) -> dict[str, list]:
    try:
        return recipe_of(folder)["files"]
    except (ValueError, KeyError, TypeError):
        return {}


def content_of(folder: Path) -> dict[str, str]:
    """SHA-256 of the files of a finished result."""
    return {name: digest for name, (_, digest) in sorted(recipe_of(folder)["files"].items())}


def _build(folder: Path, recipe: dict[str, Any], build: Callable[[Path], None]) -> None:
    partial = folder.with_suffix(".partial")
    partial.mkdir(parents=True, exist_ok=True)
    (partial / RECIPE).unlink(missing_ok=True)
    build(partial)
    files = {path.relative_to(partial).as_posix(): _keep(path) for path in _files(partial)}
    write_json(partial / RECIPE, {**_readable(recipe), "files": files})
    _flush(partial / RECIPE)
    if folder.exists():  # damaged, or not from us; never mix with it
        shutil.rmtree(folder)
    os.replace(partial, folder)
    _flush(folder.parent)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _keep(path: Path) -> list:
    """Size and SHA-256 of a file that is then on the disk for sure."""
    _flush(path)
    return [path.stat().st_size, file_content(path)]


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


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
