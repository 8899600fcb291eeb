"""What code a function really uses: its own source and everything of ours that it leads to.

Read from the source files, never run. Whatever cannot change a result is left out: comments,
docstrings, annotations, what an error says, what is logged. Settings (pydantic models) count by
their values, so of their source only methods do. Of other people's packages the name is noted;
their version goes into the key (:mod:`havir_lib.cache.content`).

Where a class is used, all of it is. A function found only through a string or a table that other
modules fill while they are imported cannot be seen here; whoever uses one names the module with
`also`. A test traces what a build really runs and holds it against what is found here.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path

from havir_lib.errors import CacheError
from havir_lib.provenance import PACKAGE_ROOT

PACKAGE = PACKAGE_ROOT.name
WHOLE = "*"
LOGGERS = frozenset(("log", "logger", "logging", "warnings"))
NOT_DECIDING = frozenset(("tqdm", "filelock", "pydantic", "IPython", "h5py", "safetensors"))
"""Packages that show, carry or check, and decide no number."""
Functions = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Used:
    """Code by ``module:name``, without what cannot matter, and other people's packages."""

    sources: dict[str, str] = field(default_factory=dict)
    packages: frozenset[str] = frozenset()

    def __or__(self, other: Used) -> Used:
        return Used(self.sources | other.sources, self.packages | other.packages)

    def covers(self, module: str, name: str) -> bool:
        """Whether a function, named as ``__qualname__`` does, is part of it."""
        top = name.split(".")[0]
        return bool({f"{module}:{top}", f"{module}:{WHOLE}"} & self.sources.keys())


def used_by(module: str, name: str, root: Path = PACKAGE_ROOT.parent) -> Used:
    """What a function or class of ours uses; with name ``"*"``, a whole module or package.

    Parameters
    ----------
    module : str
        E.g. ``"havir_lib.models.ridge"``.
    name : str
        As in ``__qualname__``; of a method, its whole class is used.
    root : Path
        Folder that holds the package.

    Raises
    ------
    CacheError
        If there is no such module or name.
    """
    return _code(root).used(module, name.split(".")[0])


@lru_cache(maxsize=4)
def _code(root: Path) -> Code:
    return Code(root)


class Code:
    """The source below a folder, read module by module as needed."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._modules: dict[str, Module | None] = {}
        self._known: dict[tuple[str, str], Used] = {}
        self._facts: dict[ast.AST, Facts] = {}

    def module(self, name: str) -> Module | None:
        """One of our modules, or None if the name is somebody else's."""
        if name not in self._modules:
            path = self.root.joinpath(*name.split("."))
            files = (path.with_suffix(".py"), path / "__init__.py")
            ours = name.split(".")[0] == PACKAGE
            found = next((file for file in files if ours and file.is_file()), None)
            self._modules[name] = Module(name, found) if found else None
        return self._modules[name]

    def used(self, module: str, name: str) -> Used:
        """See :func:`used_by`."""
        if (module, name) not in self._known:
            walk = Walk(self)
            walk.start(module, name)
            self._known[module, name] = Used(
                dict(sorted(walk.sources.items())), frozenset(walk.packages)
            )
        return self._known[module, name]

    def facts(self, statement: ast.stmt, module: Module) -> Facts:
        """What a statement of a module says and names."""
        if statement not in self._facts:
            self._facts[statement] = _facts_of(self._kept(module.simple(statement), module), module)
        return self._facts[statement]

    def _kept(self, statement: ast.stmt, module: Module) -> ast.stmt:
        """A class of settings counts by its values, so only its methods are kept."""
        if not isinstance(statement, ast.ClassDef) or not self.is_settings(statement, module):
            return statement
        methods = [x for x in statement.body if isinstance(x, Functions) and not _validates(x)]
        return ast.ClassDef(
            statement.name, bases=[], keywords=[], body=methods or [ast.Pass()], decorator_list=[]
        )

    def is_settings(self, node: ast.ClassDef, module: Module) -> bool:
        """Whether a class is a pydantic model."""
        for base in node.bases:
            if not isinstance(base, ast.Name):
                continue
            for statement in module.names.get(base.id, ()):
                if isinstance(statement, ast.ClassDef) and self.is_settings(statement, module):
                    return True
                if isinstance(statement, ast.ImportFrom):
                    source, inner = module.imported(statement)[base.id]
                    if (source, inner) == ("pydantic", "BaseModel"):
                        return True
                    owner = self.module(source)
                    found = owner.names.get(inner, ()) if owner else ()
                    if any(isinstance(x, ast.ClassDef) and self.is_settings(x, owner)
                           for x in found):  # fmt: skip
                        return True
        return False

    def inside(self, package: str) -> Iterator[str]:
        """Names of a module and all below it."""
        yield package
        folder = self.root.joinpath(*package.split("."))
        for file in sorted(folder.rglob("*.py")):
            parts = file.relative_to(self.root).with_suffix("").parts
            if parts[-1] != "__init__":
                yield ".".join(parts)


class Module:
    """One source file: what each of its top-level names is."""

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path = name, path
        self.is_package = path.name == "__init__.py"
        self._long: set[ast.stmt] = set()

    @cached_property
    def _parsed(self) -> ast.Module:
        tree = ast.parse(self.path.read_text(encoding="utf-8"), str(self.path))
        tree.body = _deciding(tree.body)
        self._long = {x for x in tree.body if isinstance(x, Functions | ast.ClassDef)}
        tree.body = [x if x in self._long else simplified(x) for x in tree.body]
        return tree

    @cached_property
    def tree(self) -> ast.Module:
        """Its syntax tree, without what cannot change a result."""
        for statement in self._parsed.body:
            self.simple(statement)
        return self._parsed

    @cached_property
    def names(self) -> dict[str, list[ast.stmt]]:
        """Top-level name → the statements that define it."""
        found: dict[str, list[ast.stmt]] = {}
        for statement in _statements(self._parsed.body):
            for name in _defines(statement):
                found.setdefault(name, []).append(statement)
        return found

    def simple(self, statement: ast.stmt) -> ast.stmt:
        """A statement without what cannot change a result; functions and classes when asked for."""
        if statement in self._long:
            self._long.remove(statement)
            simplified(statement)
        return statement

    def imported(self, statement: ast.Import | ast.ImportFrom) -> dict[str, tuple[str, str | None]]:
        """Local name → (module, name in it or None for the module itself)."""
        if isinstance(statement, ast.Import):
            return {
                (a.asname or a.name.split(".")[0]): (
                    a.name if a.asname else a.name.split(".")[0], None
                )
                for a in statement.names
            }  # fmt: skip
        source = statement.module or ""
        if statement.level:
            parts = self.name.split(".")[: None if self.is_package else -1]
            base = parts[: len(parts) - (statement.level - 1)]
            source = ".".join([*base, *([source] if source else [])])
        return {(a.asname or a.name): (source, a.name) for a in statement.names}


@dataclass(frozen=True)
class Facts:
    """What a piece of source says and names."""

    text: str
    imports: list[tuple[str, tuple[str, str | None]]]
    """Imports inside of it: local name, (module, name in it)."""
    chains: list[list[str]]
    """Names that it reads, each with the attributes that follow."""


def _facts_of(node: ast.AST, module: Module) -> Facts:
    inside = (x for x in ast.walk(node) if isinstance(x, ast.Import | ast.ImportFrom))
    imports = [found for inner in inside for found in module.imported(inner).items()]
    return Facts(ast.unparse(node), imports, list({tuple(x): x for x in _chains(node)}.values()))


class Walk:
    """Follows names from one function through our modules."""

    def __init__(self, code: Code) -> None:
        self.code = code
        self.sources: dict[str, str] = {}
        self.packages: set[str] = set()
        self._seen: set[tuple[str, str]] = set()

    def start(self, module: str, name: str) -> None:
        """Follow a name; the error says if there is none."""
        if self.code.module(module) is None:
            raise CacheError(f"No module {module!r} under {self.code.root}.")
        if name == WHOLE:
            for inside in self.code.inside(module):
                self._whole(self.code.module(inside))
        elif name not in self.code.module(module).names:
            raise CacheError(
                f"{module} defines no {name!r} at its top level, so what it uses cannot be told. "
                "Give a function or class of a module, not one made inside another function."
            )
        else:
            self._name(module, name)

    def _whole(self, module: Module) -> None:
        if (module.name, WHOLE) in self._seen:
            return
        self._seen.add((module.name, WHOLE))
        facts = self.code.facts(module.tree, module)
        self.sources[f"{module.name}:{WHOLE}"] = facts.text
        self._references(facts, module)

    def _name(self, module_name: str, name: str) -> str | None:
        """Follow a name of a module; returns a module's name if that is what it stands for."""
        module = self.code.module(module_name)
        if module is None:
            self._foreign(module_name)
            return None
        if name not in module.names:
            inside = f"{module_name}.{name}"
            return inside if self.code.module(inside) else None
        if (module_name, name) in self._seen:
            return self._stands_for(module, name)
        self._seen.add((module_name, name))
        for statement in module.names[name]:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                self._import(*module.imported(statement)[name])
            else:
                facts = self.code.facts(statement, module)
                key = f"{module_name}:{name}"
                self.sources[key] = "\n".join(filter(None, (self.sources.get(key), facts.text)))
                self._references(facts, module)
        return self._stands_for(module, name)

    def _stands_for(self, module: Module, name: str) -> str | None:
        """The module that an imported name is, if it is one of ours."""
        for statement in module.names[name]:
            if isinstance(statement, ast.Import | ast.ImportFrom):
                source, inner = module.imported(statement)[name]
                if inner is None:
                    return source if self.code.module(source) else None
                owner = self.code.module(source)
                if owner is None:
                    return None
                if inner in owner.names and (owner.name, inner) != (module.name, name):
                    return self._stands_for(owner, inner)
                inside = f"{source}.{inner}"
                return inside if self.code.module(inside) else None
        return None

    def _import(self, source: str, inner: str | None) -> None:
        if self.code.module(source) is None:
            self._foreign(source)
        elif inner is not None:
            self._name(source, inner)

    def _foreign(self, name: str) -> None:
        top = name.split(".")[0]
        if top not in sys.stdlib_module_names and top not in NOT_DECIDING and top != PACKAGE:
            self.packages.add(top)

    def _references(self, facts: Facts, module: Module) -> None:
        for _, target in facts.imports:
            self._import(*target)
        local = dict(facts.imports)
        for chain in facts.chains:
            self._chain(chain, module, local)

    def _chain(self, chain: list[str], module: Module, local: dict) -> None:
        """Follow ``a.b.c`` as far as it names modules, then what it names there."""
        first, *rest = chain
        if first in local:
            source, inner = local[first]
            current = source if inner is None else self._name(source, inner)
        elif first in module.names:
            current = self._name(module.name, first)
        else:
            return
        for part in rest:
            if current is None or self.code.module(current) is None:
                return
            current = self._name(current, part)
        if current is not None and not rest and self.code.module(current):
            self._whole(self.code.module(current))  # passed on as a value: anything may be used


def simplified(tree: ast.AST) -> ast.AST:
    """Syntax without what cannot change a result; see the module's first lines."""
    return ast.fix_missing_locations(_Simplify().visit(tree))


class _Simplify(ast.NodeTransformer):
    def generic_visit(self, node: ast.AST) -> ast.AST:
        super().generic_visit(node)
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            if isinstance(block, list) and not isinstance(node, ast.Module):
                kept = [x for x in block if not _says_only(x)]
                setattr(node, name, kept or ([ast.Pass()] if block else []))
        if isinstance(node, ast.Module):
            node.body = _deciding(node.body)
        return node

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        arguments = node.args
        everything = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for argument in (*everything, arguments.vararg, arguments.kwarg):
            if argument is not None:
                argument.annotation = None
        return self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.annotation = ast.Constant(None)
        return self.generic_visit(node)

    def visit_Raise(self, node: ast.Raise) -> ast.AST:
        error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return ast.Raise(exc=error and ast.Constant(ast.unparse(error)), cause=None)


def _deciding(body: list[ast.stmt]) -> list[ast.stmt]:
    return [x for x in body if not _says_only(x) and not _for_checkers(x)]


def _says_only(statement: ast.stmt) -> bool:
    """A docstring, or a message to the log."""
    if not isinstance(statement, ast.Expr):
        return False
    value = statement.value
    if isinstance(value, ast.Constant):
        return isinstance(value.value, str)
    if not isinstance(value, ast.Call) or not isinstance(value.func, ast.Attribute):
        return False
    return isinstance(value.func.value, ast.Name) and value.func.value.id in LOGGERS


def _for_checkers(statement: ast.stmt) -> bool:
    test = statement.test if isinstance(statement, ast.If) else None
    return isinstance(test, ast.Name) and test.id == "TYPE_CHECKING"


def _validates(function: Functions) -> bool:
    texts = [ast.unparse(item) for item in function.decorator_list]
    return any("validator" in text or "serializer" in text for text in texts)


def _statements(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements of a module, those under ``if``, ``try`` and ``with`` included."""
    for statement in body:
        blocks = [getattr(statement, n, []) for n in ("body", "orelse", "finalbody", "handlers")]
        if isinstance(statement, ast.If | ast.Try | ast.With):
            for block in blocks:
                inner = [s for x in block for s in (x.body if hasattr(x, "type") else [x])]
                yield from _statements(inner)
        else:
            yield statement


def _defines(statement: ast.stmt) -> list[str]:
    """Names that a top-level statement binds or changes (``TABLE[x] = …`` changes ``TABLE``)."""
    if isinstance(statement, Functions | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return [a.asname or a.name.split(".")[0] for a in statement.names]
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.For):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        names = [x.id for target in targets for x in ast.walk(target) if isinstance(x, ast.Name)]
        return names + (_called_on(statement) if isinstance(statement, ast.For) else [])
    return _called_on(statement)


def _called_on(statement: ast.stmt) -> list[str]:
    """Names whose methods a statement calls, e.g. ``TABLE.update(…)``."""
    calls = [x.func for x in ast.walk(statement) if isinstance(x, ast.Call)]
    owners = [x.value for x in calls if isinstance(x, ast.Attribute)]
    return [x.id for x in owners if isinstance(x, ast.Name)]


def _chains(node: ast.AST) -> Iterator[list[str]]:
    """Every name that is read, with the attributes that follow it: ``["np", "random"]``."""
    pending = [node]
    while pending:
        inner = pending.pop()
        chain = _chain_of(inner)
        if chain:
            yield chain
            continue
        pending.extend(ast.iter_child_nodes(inner))


def _chain_of(node: ast.AST) -> list[str] | None:
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    return [node.id, *names] if isinstance(node, ast.Name) else None
