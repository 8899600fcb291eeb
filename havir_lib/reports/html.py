"""One HTML page with every figure and table of a run, readable without a network or a server."""

from __future__ import annotations

import base64
import logging
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from latex2mathml.converter import convert
from nbconvert import HTMLExporter

from havir_lib.errors import DataError
from havir_lib.io import read_json, write_text
from havir_lib.paths import FIGURE
from havir_lib.reports.formats import STAMP, readable

log = logging.getLogger(__name__)

FORMULA = re.compile(r"(?<!\\)(\$\$?)(.+?)\1", re.DOTALL)
MEASURED_NOTE = (
    "Made from measured data: the pictures show stimuli of the data set, and the maps its "
    "participants. The Natural Scenes Dataset's terms forbid passing either on, so neither publish "
    "nor host this page."
)
LONGEST_TABLE = 60  # rows shown on the page; the CSV has all


@dataclass(frozen=True)
class Shown:
    """One figure or table as the template sees it."""

    name: str
    title: str
    caption: str
    note: str
    content: str
    simulated: bool


def build_html_report(notebooks_folder: Path, figures: Path, tables: Path, out: Path) -> Path:
    """Write one page with all figures and tables, and the executed notebooks as HTML beside it.

    Parameters
    ----------
    notebooks_folder : Path
        Executed notebooks (``.ipynb``); may be empty.
    figures, tables : Path
        Folders that :func:`~havir_lib.plots.save_figure` and
        :func:`~havir_lib.reports.save_table` wrote to.
    out : Path
        The page. Notebooks go to ``<folder of out>/notebooks/<name>.html``.

    Raises
    ------
    DataError
        If there is neither a figure nor a table, or one lacks its provenance file.
    """
    shown_figures = [_figure(path) for path in _paper_first(Path(figures).glob(f"*{FIGURE}"))]
    shown_tables = [_table(path) for path in _paper_first(Path(tables).glob("*.csv"))]
    if not shown_figures and not shown_tables:
        raise DataError(f"nothing to report: no figure in {figures} and no CSV in {tables}")
    out = Path(out)
    exporter = HTMLExporter(embed_images=True)  # compiles its templates when it is made
    notebooks = sorted(Path(notebooks_folder).glob("*.ipynb"))
    links = [_notebook(path, out.parent, exporter) for path in notebooks]
    page = _template().render(
        figures=shown_figures,
        tables=shown_tables,
        notebooks=links,
        stamp=STAMP,
        simulated=any(item.simulated for item in (*shown_figures, *shown_tables)),
        measured=not all(item.simulated for item in shown_figures),
        measured_note=MEASURED_NOTE,
    )
    write_text(out, page)
    return out


def _paper_first(paths: Iterable[Path]) -> list[Path]:
    """The paper's figures and tables in its order, then the others by name."""
    return sorted(paths, key=lambda path: (not re.match(r"(fig|table)\d", path.stem), path.stem))


def _template():
    loader = PackageLoader("havir_lib.reports", "templates")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    return environment.get_template("report.html.j2")


def _figure(path: Path) -> Shown:
    content = base64.b64encode(path.read_bytes()).decode()
    return _shown(path, content)


def _table(path: Path) -> Shown:
    frame = pd.read_csv(path, keep_default_na=False, na_values=[""])
    content = readable(frame).to_html(index=False, border=0, max_rows=LONGEST_TABLE)
    return _shown(path, content)


def _shown(path: Path, content: str) -> Shown:
    sidecar = path.with_suffix(".json")
    if not sidecar.is_file():
        raise DataError(
            f"{path}: expected its provenance in {sidecar.name}, but there is none. "
            "Run the notebook that makes it again, or remove the file."
        )
    record = read_json(sidecar)
    return Shown(
        name=path.stem,
        title=_title(path.stem),
        caption=record.get("caption", ""),
        note=record.get("note", ""),
        content=content,
        simulated=record["data"] == "SIMULATED",
    )


def _title(stem: str) -> str:
    """``fig2_reconstructions`` → ``Figure 2: reconstructions``."""
    found = re.fullmatch(r"(fig|table)(\d+)_(.+)", stem)
    if not found:
        return stem.replace("_", " ").capitalize()
    kind = {"fig": "Figure", "table": "Table"}[found[1]]
    return f"{kind} {found[2]}: {found[3].replace('_', ' ')}"


def _notebook(path: Path, folder: Path, exporter: HTMLExporter) -> dict[str, str]:
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = formulas_as_mathml(cell.source)
    body, _ = exporter.from_notebook_node(notebook)
    target = folder / "notebooks" / f"{path.stem}.html"
    write_text(target, body)
    log.info("wrote %s", target.name)
    return {"title": path.stem.replace("_", " "), "link": f"notebooks/{target.name}"}


def formulas_as_mathml(markdown: str) -> str:
    r"""LaTeX between ``$`` or ``$$`` as MathML, which browsers draw without a script or a network.

    A lone ``$``, or one after a backslash, stays as it is.
    """

    def replace(found: re.Match) -> str:
        display = "block" if found[1] == "$$" else "inline"
        return convert(found[2].strip(), display=display)

    return FORMULA.sub(replace, markdown)
