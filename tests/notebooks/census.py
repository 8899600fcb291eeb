"""A census of the notebooks: ``python -m tests.notebooks.census``.

Counted: code cells and their lines; cells that print or show a shape; cells that are a single call
with the run; the paper's equations; and how many calls it takes from a cell to the line that does
the maths, along the shortest way.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import textwrap
from collections import deque
from pathlib import Path

import nbformat
import pandas as pd

from havir_lib.paths import PROJECT_ROOT

NOTEBOOKS = sorted((PROJECT_ROOT / "notebooks").glob("*.ipynb"))
TARGETS = {
    "04 to the Sobel loss": ("04_structural_generator", "havir_lib.models.losses.sobel_magnitude"),
    "04 to ridge": ("04_structural_generator", "havir_lib.models.ridge.predict_ridge"),
    "06 to a step of denoising": ("06_reconstruction", "scheduler.step"),
    "07 to identification": (
        "07_sota_comparison", "havir_lib.evaluation.identification.two_way_identification",
    ),
    "09 to the norm": ("09_interpretability", "np.linalg.norm"),
}  # fmt: skip
"""What, from which notebook: a function of ours, or a call in the cell itself."""


def code(path: Path) -> list[str]:
    """Code cells without parameters."""
    cells = nbformat.read(path, as_version=4).cells
    return [c.source for c in cells if c.cell_type == "code" and not c.metadata.get("tags")]


def is_setup(source: str) -> bool:
    """Imports only, or the opening of the run."""
    body = ast.parse(source).body
    imports = all(isinstance(x, ast.Import | ast.ImportFrom) for x in body)
    return imports or (len(body) <= 2 and "open_run(" in source.splitlines()[0])


def is_one_call(source: str) -> bool:
    """A single expression that is a call with the run."""
    body = ast.parse(source).body
    call = body[0].value if len(body) == 1 and isinstance(body[0], ast.Expr) else None
    return isinstance(call, ast.Call) and bool(call.args) and ast.unparse(call.args[0]) == "run"


def shows_a_shape(source: str) -> bool:
    """A shape is printed with its axes named, or stands in a comment."""
    return bool(re.search(r"\([a-zA-Z0-9_ ]+, [^)]*\) *=|# .*\([\w ]+, [^)]*\)", source))


def equations() -> dict[int, list[str]]:
    """Number of each equation → notebooks where it is typeset."""
    found: dict[int, list[str]] = {}
    for path in NOTEBOOKS:
        for cell in nbformat.read(path, as_version=4).cells:
            if cell.cell_type == "markdown":
                for number in re.findall(r"\\tag\{(\d+)\}", cell.source):
                    found.setdefault(int(number), []).append(path.stem)
    return dict(sorted(found.items()))


def calls_to(notebook: str, target: str) -> int:
    """Calls from a cell to a function, along the shortest way; 99 if there is none."""
    source = "\n".join(code(PROJECT_ROOT / "notebooks" / f"{notebook}.ipynb"))
    if not target.startswith("havir_lib"):
        return 1 if f"{target}(" in source else 99
    start = [x for x in _named(ast.parse(source), _imports(source)) if callable(x)]
    queue, seen = deque((x, 1) for x in start), set(map(id, start))
    while queue:
        function, depth = queue.popleft()
        if f"{function.__module__}.{function.__qualname__}" == target:
            return depth
        for inner in _references(function):
            if id(inner) not in seen:
                seen.add(id(inner))
                queue.append((inner, depth + 1))
    return 99


def _imports(source: str) -> dict[str, object]:
    scope: dict[str, object] = {}
    for statement in ast.walk(ast.parse(source)):
        if isinstance(statement, ast.ImportFrom) and statement.module.startswith("havir_lib"):
            module = importlib.import_module(statement.module)
            for item in statement.names:
                scope[item.asname or item.name] = (
                    getattr(module, item.name, None)
                    or importlib.import_module(f"{statement.module}.{item.name}")
                )  # fmt: skip
    return scope


def _references(function: object) -> list:
    function = inspect.unwrap(function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, TypeError):
        return []
    scope = vars(inspect.getmodule(function))
    return [x for x in _named(tree, scope) if callable(x)]


def _named(tree: ast.AST, scope: dict[str, object]) -> list:
    """Functions and classes of ours that a piece of code names; of a table, those in it."""
    found = []
    for node in ast.walk(tree):
        value = None
        if isinstance(node, ast.Name):
            value = scope.get(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = scope.get(node.value.id)
            value = getattr(owner, node.attr, None) if inspect.ismodule(owner) else None
        records = value.values() if isinstance(value, dict) else [value]
        values = [getattr(record, "compare", record) for record in records]
        found += [x for x in values if getattr(x, "__module__", "").startswith("havir_lib")
                  and hasattr(x, "__qualname__")]  # fmt: skip
    return found


def table() -> pd.DataFrame:
    """One row per notebook."""
    rows = {}
    for path in NOTEBOOKS:
        cells = code(path)
        working = [source for source in cells if not is_setup(source)]
        lines = pd.Series([len(source.splitlines()) for source in working])
        rows[path.stem] = {
            "code cells": len(cells),
            "working": len(working),
            "median lines": lines.median(),
            "shapes": sum(map(shows_a_shape, working)),
            "one call": sum(map(is_one_call, working)),
        }
    return pd.DataFrame.from_dict(rows, orient="index")


def main() -> None:
    """Print the census."""
    rows = table()
    print(rows.to_string())
    print(f"\none-call cells: {share():.0%} of the working cells")
    print(f"equations: {equations()}")
    for name, (notebook, target) in TARGETS.items():
        print(f"calls from notebook {name}: {calls_to(notebook, target)}")


def share() -> float:
    """Cells that are a single call with the run, among working cells."""
    rows = table()
    return rows["one call"].sum() / rows["working"].sum()


if __name__ == "__main__":
    main()
