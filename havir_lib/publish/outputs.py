"""Notebooks with outputs that are small enough to commit, and can be told from stale ones."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from PIL import Image

from havir_lib.errors import DataError
from havir_lib.io import read_json
from havir_lib.pages.index import PAGES, pattern_of

WIDTH, QUALITY = 640, 85
"""Of previews: pixels, and quality where they are JPEG."""
PICTURES = ("image/png", "image/jpeg")
LONGEST_TEXT = 40_000  # characters of one output
ADDRESS = re.compile(r" at 0x[0-9a-f]+")  # in memory, another one in every run
NOISE = re.compile(r"^[\w ]+: (found in cache|computing)$")
MARK = "havir"


def outputs_into(source: Path, executed: Path, figures: Path, tables: Path) -> NotebookNode:
    """The notebook `source` with the outputs of its executed copy, small enough to commit.

    Pictures become previews, log lines and progress bars go. The metadata keep a hash of the code
    that was run and, for each figure and table shown, the cached results it was made from, so that
    a test can tell whether the outputs are still those of the cells.

    Raises
    ------
    DataError
        If the executed copy is of other cells.
    """
    notebook = nbformat.read(source, as_version=4)
    ran = {cell.id: cell for cell in nbformat.read(executed, as_version=4).cells if "id" in cell}
    for cell in _code(notebook):
        other = ran.get(cell.id)
        if other is None or other.source != cell.source:
            raise DataError(
                f"{executed} was run from other cells than {source.name} has now ({cell.id}). Run "
                "the profile again."
            )
        cell.outputs = [x for output in other.outputs if (x := _small(output)) is not None]
        cell.execution_count = None
    made = {path.stem: path for folder in (figures, tables) for path in folder.glob("*.json")}
    shown = {name: read_json(path)["results"] for name, path in sorted(made.items())
             if name in _names(notebook, made)}  # fmt: skip
    notebook.metadata[MARK] = {"code": code_digest(notebook), "results": shown}
    return notebook


def _names(notebook: NotebookNode, made: dict[str, Path]) -> set[str]:
    source = "\n".join(cell.source for cell in _code(notebook))
    return {
        name
        for page in PAGES
        if f"{page.made_by}(run" in source
        for name in made
        if re.fullmatch(pattern_of(page.name), name)
    }


def code_digest(notebook: NotebookNode) -> str:
    """Hash of all code cells of a notebook."""
    text = "\n\n".join(cell.source for cell in _code(notebook))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def _small(output: NotebookNode) -> NotebookNode | None:
    if output.output_type == "stream":
        lines = [x for x in output.text.splitlines() if not NOISE.match(x)]
        if output.name == "stderr" or not lines:
            return None
        return nbformat.v4.new_output("stream", name="stdout", text="\n".join(lines) + "\n")
    if output.output_type not in ("display_data", "execute_result"):
        return None
    data: dict[str, Any] = dict(output.data)
    if any("widget" in kind for kind in data):  # a progress bar
        return None
    if picture := next((data[kind] for kind in PICTURES if kind in data), None):
        data = {**preview(picture), "text/plain": "<figure>"}
    data = {kind: ADDRESS.sub("", x) if isinstance(x, str) else x for kind, x in data.items()}
    kept = {kind: value for kind, value in data.items() if len(str(value)) < LONGEST_TEXT
            or kind in PICTURES}  # fmt: skip
    return nbformat.v4.new_output("display_data", data=kept)


def preview(picture: str) -> dict[str, str]:
    """A picture (base64) at most 640 pixels wide: PNG or JPEG by kind, whichever is smaller."""
    content = io.BytesIO(base64.b64decode(picture))
    image = Image.open(content, formats=["PNG", "JPEG"]).convert("RGB")
    if image.width > WIDTH:
        size = (WIDTH, round(image.height * WIDTH / image.width))
        image = image.resize(size, Image.Resampling.LANCZOS)
    made = {}
    for kind, how in (("png", {"optimize": True}), ("jpeg", {"quality": QUALITY})):
        buffer = io.BytesIO()
        image.save(buffer, format=kind, **how)
        made[f"image/{kind}"] = base64.b64encode(buffer.getvalue()).decode()
    kind = min(made, key=lambda each: len(made[each]))
    return {kind: made[kind]}
