"""Executed notebooks without the places of one person's machine, so that they can be shared."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

from havir_lib.paths import PROJECT_ROOT

PICTURES = ("image/", "application/pdf")


def without_places(notebook: NotebookNode, parameters: Mapping[str, Any]) -> NotebookNode:
    """The same notebook with names in place of absolute paths.

    Parameters
    ----------
    notebook : NotebookNode
        As papermill leaves it; what it notes about the machine and the time goes.
    parameters : mapping
        Of the notebook. A path among them or within them becomes its key, ``<data.root>``.
    """
    names = {**dict(_paths(parameters)), **_of_this_machine()}
    longest_first = sorted(names, key=len, reverse=True)
    pattern = re.compile("|".join(rf"{re.escape(path)}(?![\w-])" for path in longest_first))
    for part in (notebook, *notebook.cells):
        part.metadata.pop("papermill", None)
    shown = _shown(notebook)
    return _replaced(shown, lambda text: pattern.sub(lambda found: names[found[0]], text))


def _paths(content: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(content, Mapping):
        for name, value in content.items():
            yield from _paths(value, str(name))
    elif isinstance(content, list | tuple):
        for value in content:
            yield from _paths(value, key)
    elif isinstance(content, str) and Path(content).is_absolute() and len(Path(content).parts) > 1:
        yield content.rstrip("/"), f"<{key}>"


def _of_this_machine() -> dict[str, str]:
    places = {PROJECT_ROOT: "<project>", Path(sys.prefix): "<environment>", Path.home(): "~"}
    named = {str(path): name for path, name in places.items() if len(path.parts) > 1}
    return named | {str(Path(path).resolve()): name for path, name in named.items()}


def _shown(notebook: NotebookNode) -> NotebookNode:
    """What a cell has printed in several pieces, in one: a path may be cut in two."""
    for cell in notebook.cells:
        merged: list[NotebookNode] = []
        for output in cell.get("outputs", []):
            before = merged[-1] if merged else None
            if before and _stream(before) == _stream(output) is not None:
                before.text += output.text
            else:
                merged.append(output)
        if "outputs" in cell:
            cell.outputs = merged
    return notebook


def _stream(output: NotebookNode) -> str | None:
    return output.name if output.output_type == "stream" else None


def _replaced(content: Any, change: Any) -> Any:
    if isinstance(content, str):
        return change(content)
    if isinstance(content, dict):
        for key, value in content.items():
            if not str(key).startswith(PICTURES):
                content[key] = _replaced(value, change)
        return content
    return [_replaced(value, change) for value in content] if isinstance(content, list) else content
