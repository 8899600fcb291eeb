"""What a call depends on, by content: its function's code, its arguments, other people's versions.

Arguments may be numbers, text, arrays, tables, settings (pydantic models), dataclasses, functions,
and dictionaries, lists and sets of these. An object of another class says what it is by an
attribute or property ``content``. Of every class of ours among them the code counts, too.
"""

from __future__ import annotations

import ast
import builtins
import dataclasses
import inspect
import sys
import textwrap
import types
import weakref
from collections.abc import Callable
from functools import cache, partial
from importlib import metadata
from typing import Any

import numpy as np
import pandas as pd

from havir_lib.cache.code import NOT_DECIDING, PACKAGE, WHOLE, Used, simplified, used_by
from havir_lib.errors import CacheError
from havir_lib.provenance import digest, sha256_of_array


def recipe_of_call(function: Callable, arguments: dict[str, Any], also: tuple = ()) -> dict:
    """Everything the result of a call depends on, as JSON.

    Parameters
    ----------
    function : callable
        A function of a module of ours, of a notebook or of a file of the user's.
    arguments : dict
        Name → value.
    also : tuple of modules and functions
        Code that it uses in a way that its source does not show.

    Returns
    -------
    dict
        function, arguments, code (one hash), packages (name → version).

    Raises
    ------
    CacheError
        If an argument cannot be identified by content.
    """
    found = Description()
    described = {name: found.of(value, name) for name, value in arguments.items()}
    found.code(function)
    for item in also:
        if isinstance(item, types.ModuleType):
            found.used |= used_by(item.__name__, WHOLE)
        else:
            found.code(item)
    return {
        "function": function_name(function),
        "arguments": described,
        "code": digest(found.used.sources),
        "packages": versions(found.used.packages),
    }


def function_name(function: Callable) -> str:
    """``module.name`` of a function, without the arguments that ``partial`` has bound."""
    while isinstance(function, partial):
        function = function.func
    return f"{function.__module__}.{function.__qualname__}"


def code_of(function: Callable) -> Used:
    """The code that a function or class uses, wherever it was written."""
    found = Description()
    found.code(function)
    return found.used


class Description:
    """Describes values and collects the code that they bring along."""

    def __init__(self) -> None:
        self.used = Used()
        self._functions: set[int] = set()

    def of(self, value: Any, name: str = "value") -> Any:
        """JSON that is equal for equal content; `name` is for the error."""
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            return repr(value)
        if isinstance(value, np.ndarray):
            return array_digest(value)
        if isinstance(value, np.generic):
            return self.of(value.item(), name)
        if isinstance(value, pd.DataFrame | pd.Series):
            return self._table(value, name)
        if isinstance(value, dict):
            return {str(key): self.of(item, f"{name}[{key!r}]") for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.of(item, f"{name}[{i}]") for i, item in enumerate(value)]
        if isinstance(value, set | frozenset):
            return sorted(map(str, (self.of(item, name) for item in value)))
        return self._object(value, name)

    def _object(self, value: Any, name: str) -> Any:
        if isinstance(value, partial):
            bound = [self.of(value.args, name), self.of(value.keywords, name)]
            return ["partial", self.of(value.func, name), *bound]
        if isinstance(value, type | types.FunctionType):
            self.code(value)
            return ["function", function_name(value)]
        self._class(type(value))
        if hasattr(type(value), "content"):
            return [type(value).__name__, self.of(value.content, f"{name}.content")]
        if callable(getattr(value, "state_dict", None)):
            return self._network(value, name)
        if hasattr(value, "model_dump"):
            return value.model_dump(mode="json")
        if dataclasses.is_dataclass(value):
            fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            return [type(value).__name__, self.of(fields, name)]
        raise CacheError(
            f"{name}: a {type(value).__name__} cannot be identified by its content. Pass arrays, "
            "tables, numbers, text or settings; of files, pass what was read from them."
        )

    def _network(self, network: Any, name: str) -> Any:
        """A torch module: its class, how it was built, and its weights."""
        weights = {key: x.detach().cpu().numpy() for key, x in network.state_dict().items()}
        built = getattr(network, "architecture", None) or repr(network)
        return [type(network).__name__, self.of(built, name), self.of(weights, name)]

    def _table(self, table: pd.DataFrame | pd.Series, name: str) -> Any:
        frame = table.to_frame() if isinstance(table, pd.Series) else table
        columns = {str(key): self._column(frame[key], name) for key in frame.columns}
        return ["table", columns, self._column(frame.index.to_series(), name)]

    def _column(self, column: pd.Series, name: str) -> Any:
        values = column.to_numpy()
        if values.dtype == object:
            return [None if x is None else self.of(x, name) for x in values.tolist()]
        return array_digest(values)

    def _class(self, kind: type) -> None:
        if kind.__module__.split(".")[0] == PACKAGE:
            self.used |= used_by(kind.__module__, kind.__qualname__)
        elif _is_users(kind.__module__):
            self.code(kind)

    def code(self, function: Callable) -> None:
        """Collect the code of a function or class, ours or the user's own."""
        while isinstance(function, partial):
            self.of([function.args, function.keywords], "bound arguments")
            function = function.func
        function = inspect.unwrap(function)
        module = getattr(function, "__module__", None) or "builtins"
        if id(function) in self._functions or module == "builtins":
            return
        self._functions.add(id(function))
        if module.split(".")[0] == PACKAGE:
            self.used |= used_by(module, function.__qualname__)
        elif _is_users(module):
            self._users_code(function, module)
        else:
            self.used |= Used(packages=frozenset((module.split(".")[0],)))

    def _users_code(self, function: Callable, module: str) -> None:
        name = f"{module}:{function.__qualname__}"
        tree = simplified(ast.parse(textwrap.dedent(_source(function))))
        self.used |= Used({name: ast.unparse(tree)})
        known = _outer_names(function)
        for inner in ast.walk(tree):
            if isinstance(inner, ast.Name) and inner.id in known:
                self._outer(known[inner.id], f"{inner.id} in {name}")
            elif isinstance(inner, ast.Import | ast.ImportFrom):
                self._imported(inner)

    def _outer(self, value: Any, name: str) -> None:
        """Something that a user's function takes from around it."""
        if isinstance(value, types.ModuleType):
            self._module(value.__name__)
        elif isinstance(value, types.FunctionType | type) or hasattr(value, "__wrapped__"):
            self.code(value)
        elif callable(value) and not dataclasses.is_dataclass(value):
            self._module(type(value).__module__)
        else:
            self.used |= Used({name: str(self.of(value, name))})

    def _imported(self, statement: ast.Import | ast.ImportFrom) -> None:
        if isinstance(statement, ast.ImportFrom):
            self._module(statement.module or "")
        else:
            for item in statement.names:
                self._module(item.name)

    def _module(self, name: str) -> None:
        top = name.split(".")[0]
        if top == PACKAGE:
            self.used |= used_by(name, WHOLE)
        elif top and top != "builtins":
            self.used |= Used(packages=frozenset((top,)))


def versions(packages: frozenset[str]) -> dict[str, str]:
    """Versions of the distributions that these top-level modules come from."""
    found = {}
    for name in sorted(packages - NOT_DECIDING):
        for distribution in _distributions().get(name, ()):
            found[distribution] = _version(distribution)
    return found


@cache
def _version(distribution: str) -> str:
    return metadata.version(distribution)


@cache
def _distributions() -> dict[str, list[str]]:
    return {name: sorted(set(x)) for name, x in metadata.packages_distributions().items()}


def _is_users(module: str) -> bool:
    """Whether a module is a notebook's or a file of the user's, not of an installed package."""
    top = module.split(".")[0]
    installed = top in _distributions() or top in sys.stdlib_module_names
    return top == "__main__" or not installed


def _source(function: Callable) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        raise CacheError(
            f"{function_name(function)}: its source cannot be read, so a change in it would go "
            "unnoticed. Define it in a cell or a file."
        ) from None


def _outer_names(function: Callable) -> dict[str, Any]:
    if isinstance(function, type):
        module = inspect.getmodule(function)
        return dict(vars(module)) if module else {}
    closure = inspect.getclosurevars(function)
    inner = {**function.__globals__, **closure.nonlocals}
    return {name: value for name, value in inner.items() if not hasattr(builtins, name)}


_hashed: dict[int, tuple[weakref.ref, str]] = {}


def array_digest(array: np.ndarray) -> str:
    """Type, shape and SHA-256 of an array; remembered for arrays that nobody can write to."""
    known = _hashed.get(id(array))
    if known is not None and known[0]() is array:
        return known[1]
    found = _hash(array)
    if is_frozen(array):
        _hashed[id(array)] = (weakref.ref(array, partial(_forget, id(array))), found)
    return found


def _forget(identity: int, _: weakref.ref) -> None:
    _hashed.pop(identity, None)


def _hash(array: np.ndarray) -> str:
    if array.dtype == object:
        raise CacheError("An array of Python objects cannot be identified by its content.")
    return f"{array.dtype} {list(array.shape)} {sha256_of_array(array)[:32]}"


def is_frozen(array: np.ndarray) -> bool:
    """Whether neither the array nor what it is a view of can be written to."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if base.flags.writeable:
            return False
        base = base.base
    return True


def frozen(value: Any) -> Any:
    """The value with every array in it read-only, in place."""
    if isinstance(value, np.ndarray):
        if value.flags.writeable:
            value.flags.writeable = False
    elif isinstance(value, dict):
        for item in value.values():
            frozen(item)
    elif isinstance(value, list | tuple):
        for item in value:
            frozen(item)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            frozen(getattr(value, field.name))
    return value


def copied(value: Any) -> Any:
    """The value to hand out: tables, which cannot be made read-only, as copies."""
    if isinstance(value, pd.DataFrame | pd.Series):
        return value.copy()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        tables = {
            f.name: getattr(value, f.name).copy()
            for f in dataclasses.fields(value)
            if isinstance(getattr(value, f.name), pd.DataFrame | pd.Series)
        }
        return dataclasses.replace(value, **tables) if tables else value
    return value
