"""``remember``: call a function, or take its result from the cache if it was called so before.

The function takes arrays and settings and knows nothing of runs and caches. The key follows from
its code and its arguments (:mod:`havir_lib.cache.content`); nobody writes it by hand.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from havir_lib.cache.content import frozen, recipe_of_call
from havir_lib.cache.store import cached, content_of
from havir_lib.errors import CacheError
from havir_lib.io import load_arrays, read_json, save_arrays, write_json

ARRAYS, NOTES, TABLE = "result.npz", "result.json", "result.csv"


def remember(
    root: Path,
    kind: str,
    function: Callable,
    *arguments: Any,
    how: dict[str, Any] | None = None,
    given: dict[str, Any] | None = None,
    also: tuple = (),
    **named: Any,
) -> Any:
    """The result of ``function(*arguments, **named, **how)``, made once.

    Parameters
    ----------
    root : Path
        Cache folder.
    kind : str
        What is made; names a folder below `root`.
    function : callable
        Returns an array, a table, a dictionary of arrays, or a dataclass of arrays and None.
    *arguments, **named
        By content part of the key.
    how : dict, optional
        Further arguments by name that say how or where it is computed and not what, such as the
        device, or where its files are; not part of the key, except the code of their classes.
    given : dict, optional
        What the files that `how` names hold; part of the key and not passed on.
    also : tuple of modules and functions
        Code that the function uses in a way that its source does not show.

    Returns
    -------
    Any
        What the function returned, as read back from the cache; arrays are read-only.

    Raises
    ------
    CacheError
        If an argument cannot be identified by content, or the result not be kept.
    """
    bound = _bound(function, arguments, named, how)
    recipe = _recipe(function, bound.arguments, how, given, also)

    def build(folder: Path) -> None:
        save_result(folder, function(*bound.args, **bound.kwargs))

    return load_result(cached(root, kind, recipe, build))


def remember_folder(
    root: Path,
    kind: str,
    function: Callable,
    *arguments: Any,
    how: dict[str, Any] | None = None,
    given: dict[str, Any] | None = None,
    also: tuple = (),
    **named: Any,
) -> Folder:
    """The folder that ``function(folder, *arguments, **named, **how)`` fills, made once.

    For results that are written bit by bit; an interrupted call goes on in the same folder. The
    parameters are those of :func:`remember`.
    """
    bound = _bound(function, (Path(), *arguments), named, how)
    first = next(iter(bound.arguments))
    others = {name: x for name, x in bound.arguments.items() if name != first}
    recipe = _recipe(function, others, how, given, also)

    def build(folder: Path) -> None:
        bound.arguments[first] = folder
        function(*bound.args, **bound.kwargs)

    return Folder(cached(root, kind, recipe, build))


def _bound(
    function: Callable, arguments: tuple, named: dict[str, Any], how: dict[str, Any] | None
) -> inspect.BoundArguments:
    """The arguments of a call by name, defaults included, so that its spelling does not matter."""
    bound = inspect.signature(function).bind(*arguments, **named, **(how or {}))
    bound.apply_defaults()
    return bound


def _recipe(
    function: Callable,
    arguments: dict[str, Any],
    how: dict[str, Any] | None,
    given: dict[str, Any] | None,
    also: tuple,
) -> dict[str, Any]:
    keyed = {name: x for name, x in arguments.items() if name not in (how or {})}
    return recipe_of_call(function, keyed | (given or {}), (*also, *_classes(how)))


def _classes(how: dict[str, Any] | None) -> list[type]:
    """Classes of ours whose objects are passed on: of them the code counts, not the value."""
    kinds = {type(value) for value in (how or {}).values()}
    return sorted((x for x in kinds if x.__module__.startswith("havir_lib")), key=str)


@dataclasses.dataclass(frozen=True)
class Folder:
    """A finished folder in the cache; as an argument it stands for the content of its files."""

    path: Path

    @property
    def key(self) -> str:
        """Names what it was made from."""
        return self.path.name

    @property
    def content(self) -> dict[str, str]:
        """File → SHA-256."""
        return content_of(self.path)


def save_result(folder: Path, result: Any) -> None:
    """Write what a function returned into `folder`."""
    if isinstance(result, pd.DataFrame):
        if not result.index.equals(pd.RangeIndex(len(result))):
            raise CacheError("A table is kept without its index. Return it with reset_index().")
        result.to_csv(folder / TABLE, index=False)
        return
    arrays, absent, kind = _as_arrays(result)
    save_arrays(folder / ARRAYS, **arrays)
    write_json(folder / NOTES, {"kind": kind, "absent": absent})


def _as_arrays(result: Any) -> tuple[dict[str, np.ndarray], list[str], str]:
    if isinstance(result, np.ndarray):
        return {"value": result}, [], "array"
    if dataclasses.is_dataclass(result):
        fields = {f.name: getattr(result, f.name) for f in dataclasses.fields(result)}
        kind = f"{type(result).__module__}:{type(result).__qualname__}"
    elif isinstance(result, dict):
        fields, kind = result, "dict"
    else:
        raise CacheError(
            f"A {type(result).__name__} cannot be kept in the cache. Return an array, a table, a "
            "dictionary of arrays, or a dataclass of arrays."
        )
    absent = [name for name, value in fields.items() if value is None]
    return {name: np.asarray(x) for name, x in fields.items() if x is not None}, absent, kind


def load_result(folder: Path) -> Any:
    """Read what :func:`save_result` wrote; arrays are read-only."""
    if (folder / TABLE).is_file():
        return pd.read_csv(folder / TABLE, float_precision="round_trip")
    arrays, notes = load_arrays(folder / ARRAYS), read_json(folder / NOTES)
    fields = frozen({**arrays, **dict.fromkeys(notes["absent"])})
    if notes["kind"] == "array":
        return fields["value"]
    if notes["kind"] == "dict":
        return fields
    return _class(notes["kind"])(**fields)


def _class(kind: str) -> type:
    module, name = kind.split(":")
    found = importlib.import_module(module)
    for part in name.split("."):
        found = getattr(found, part)
    return found
