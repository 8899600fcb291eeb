"""The site of a run: what was found, question by question, with an explorer of its pictures.

Static files that work from a disk, without a network: pages by Jinja2, executed notebooks by
nbconvert, tables by markdown-it from Markdown that the run wrote. Figures and tables are those of
this run only.

::

    site/index.html               what was run, and what came out
    site/<notebook>.html          a question: its figures and tables
    site/explorer.html            stimuli and reconstructions side by side
    site/methods.html             methods text with this run's settings
    site/notebooks/<name>.html    executed notebooks
    site/files/…                  figures and tables themselves
"""

from __future__ import annotations

import json
import logging
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import nbformat
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from latex2mathml.converter import convert
from markdown_it import MarkdownIt
from nbconvert import HTMLExporter
from nbformat import NotebookNode
from PIL import Image

from havir_lib.errors import DataError
from havir_lib.io import read_json, write_text
from havir_lib.parallel import in_processes
from havir_lib.paths import FIGURE
from havir_lib.provenance import origin
from havir_lib.reports.formats import STAMP

log = logging.getLogger(__name__)

OFFLINE = """
{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
""".strip()
"""nbconvert's page of a notebook without the scripts that it takes from the network."""
FORMULA = re.compile(r"(?<!\\)(\$\$?)(.+?)\1", re.DOTALL)
TEMPLATES = Path(__file__).parent / "templates" / "site"
STATIC = ("site.css", "site.js", "explorer.js")
MEASURED_NOTE = (
    "Made from measured data: the pictures show stimuli of the data set, and the maps its "
    "participants. The Natural Scenes Dataset's terms forbid passing either on, so neither publish "
    "nor host this page."
)


@dataclass(frozen=True)
class Shown:
    """A figure or table of the run.

    Attributes
    ----------
    kind : {"figure", "table"}
    name, title, caption : str
    simulated : bool
    files : dict
        Format → address of its file, as seen from the site's folder.
    width, height : int
        Of a figure, in pixels.
    body : str
        Of a table, HTML.
    """

    kind: str
    name: str
    title: str
    caption: str
    simulated: bool
    files: dict[str, str]
    width: int = 0
    height: int = 0
    body: str = ""


@dataclass(frozen=True)
class Question:
    """One notebook: a question, and what answers it.

    Attributes
    ----------
    name : str
        Of the notebook, e.g. ``"07_sota_comparison"``.
    results : sequence of (kind, name)
        Its figures and tables, in order.
    executed : sequence of Path
        Executed copies: one, or one per subject.
    """

    name: str
    results: Sequence[tuple[str, str]]
    executed: Sequence[Path]


@dataclass(frozen=True)
class Front:
    """The first screen.

    Attributes
    ----------
    title : str
    facts : dict
        What was run, on what, for how long.
    verdicts : list of dict
        claim, verdict, detail, source.
    scores : list of dict
        metric, floor, value, bound: HAVIR between shuffled voxels and true targets.
    reproduced : str
        How many numbers agree with the reference; empty if there is none.
    methods : list of str
        Paragraphs for a paper.
    simulated : bool
    """

    title: str
    facts: Mapping[str, str]
    verdicts: Sequence[Mapping[str, Any]]
    scores: Sequence[Mapping[str, Any]]
    reproduced: str
    methods: Sequence[str]
    simulated: bool


@dataclass
class _Site:
    """What every page needs."""

    folder: Path
    figures: Path
    tables: Path
    environment: Environment
    shared: dict[str, Any] = field(default_factory=dict)

    def write(self, name: str, template: str, **content: Any) -> None:
        page = self.environment.get_template(template).render(**self.shared, **content, here=name)
        write_text(self.folder / name, page)


def build_site(
    folder: Path,
    figures: Path,
    tables: Path,
    questions: Sequence[Question],
    front: Front,
    explorer: Mapping[str, Any] | None = None,
    bodies: Iterator[str] | None = None,
) -> Path:
    """Write the site of a run.

    Parameters
    ----------
    folder : Path
        Replaced, except what the explorer's pictures are (``explorer/``).
    figures, tables : Path
        Folders that :func:`~havir_lib.plots.save_figure` and
        :func:`~havir_lib.reports.save_table` wrote to; only what `questions` name is shown.
    questions : sequence of Question
    front : Front
    explorer : mapping, optional
        Data of the explorer; its pictures lie in ``explorer/`` already.
    bodies : iterator of str, optional
        :func:`notebook_pages` of `questions`, if they were begun before.

    Returns
    -------
    Path
        The first page.

    Raises
    ------
    DataError
        If there is nothing to show, or a result lacks its provenance.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    _clear(folder)
    site = _Site(folder, Path(figures), Path(tables), _environment())
    bodies = notebook_pages(questions, workers=1) if bodies is None else bodies
    shown = {question.name: _results(site, question.results) for question in questions}
    if not any(shown.values()):
        raise DataError(f"nothing to show: no figure in {figures} and no table in {tables}.")
    books = {question.name: _notebooks(site, question.executed, bodies) for question in questions}
    pages = [
        {"name": x.name, "title": _heading(x.executed, x.name), "results": shown[x.name]}
        for x in questions
        if shown[x.name] or books[x.name]
    ]
    site.shared = {
        "front": front,
        "pages": pages,
        "explorer": explorer is not None,
        "stamp": STAMP,
        "measured_note": "" if front.simulated else MEASURED_NOTE,
    }
    for name in STATIC:
        shutil.copyfile(TEMPLATES / name, folder / name)
    site.write("index.html", "index.html.j2")
    site.write("methods.html", "methods.html.j2")
    for i, page in enumerate(pages):
        around = {"before": pages[i - 1] if i else None, "after": (pages[i + 1 :] or [None])[0]}
        lead = _lead(next(x.executed for x in questions if x.name == page["name"]))
        site.write(f"{page['name']}.html", "question.html.j2", page=page, lead=lead,
                   books=books[page["name"]], **around)  # fmt: skip
    if explorer is not None:
        text = json.dumps(explorer, ensure_ascii=False).replace("</", "<\\/")
        write_text(folder / "explorer-data.js", f"window.HAVIR = {text};\n")
        site.write("explorer.html", "explorer.html.j2")
    return folder / "index.html"


def _clear(folder: Path) -> None:
    for part in ("files", "notebooks"):
        shutil.rmtree(folder / part, ignore_errors=True)
    for path in folder.glob("*.html"):
        path.unlink()


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _results(site: _Site, names: Iterable[tuple[str, str]]) -> list[Shown]:
    makers = {"figure": (site.figures, FIGURE, _figure), "table": (site.tables, ".csv", _table)}
    found = []
    for kind, name in names:
        folder, suffix, make = makers[kind]
        if (folder / f"{name}{suffix}").is_file():
            found.append(make(site, folder / f"{name}{suffix}"))
    return found


def _figure(site: _Site, path: Path) -> Shown:
    record = _record(path)
    with Image.open(path, formats=["WEBP"]) as image:
        width, height = image.size
    files = _copied(site, path, {"WebP": FIGURE, "PDF": ".pdf", "provenance": ".json"})
    return Shown("figure", path.stem, title_of(path.stem), record.get("caption", ""),
                 record["data"] == origin(simulated=True), files, width, height)  # fmt: skip


def _table(site: _Site, path: Path) -> Shown:
    record = _record(path)
    kinds = {"CSV": ".csv", "LaTeX": ".tex", "Markdown": ".md", "provenance": ".json"}
    text = path.with_suffix(".md").read_text(encoding="utf-8")
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(_without_head(text))
    simulated = record["data"] == origin(simulated=True)
    return Shown("table", path.stem, title_of(path.stem), record.get("caption", ""), simulated,
                 _copied(site, path, kinds), body=body)  # fmt: skip


def _without_head(markdown: str) -> str:
    """Without the stamp and the caption, which stand above the table on the page."""
    parts = markdown.split("\n\n")
    while parts and parts[0].startswith("**") and parts[0].rstrip().endswith("**"):
        parts = parts[1:]
    return "\n\n".join(parts)


def _record(path: Path) -> dict[str, Any]:
    sidecar = path.with_suffix(".json")
    if not sidecar.is_file():
        raise DataError(
            f"{path}: expected its provenance in {sidecar.name}, but there is none. "
            "Run the notebook that makes it again, or remove the file."
        )
    return read_json(sidecar)


def _copied(site: _Site, path: Path, kinds: Mapping[str, str]) -> dict[str, str]:
    (site.folder / "files").mkdir(parents=True, exist_ok=True)
    files = {}
    for kind, suffix in kinds.items():
        source = path.with_suffix(suffix)
        if source.is_file():
            shutil.copyfile(source, site.folder / "files" / source.name)
            files[kind] = f"files/{source.name}"
    return files


def title_of(stem: str) -> str:
    """``fig2_reconstructions`` → ``Figure 2: reconstructions``."""
    found = re.fullmatch(r"(fig|table)(\d+)_(.+)", stem)
    if not found:
        return stem.replace("_", " ").capitalize()
    kind = {"fig": "Figure", "table": "Table"}[found[1]]
    return f"{kind} {found[2]}: {found[3].replace('_', ' ')}"


def notebook_pages(questions: Sequence[Question], workers: int) -> Iterator[str]:
    """The page of each executed notebook, in order; processes begin with them at once."""
    calls = [(path,) for question in questions for path in question.executed]
    return in_processes(page_of, calls, workers)


def page_of(executed: Path) -> str:
    """A notebook's page, HTML."""
    return _page(_exporter(), nbformat.read(executed, as_version=4))


@cache
def _exporter() -> HTMLExporter:
    """It compiles its templates when it is made."""
    return HTMLExporter(embed_images=True, raw_template=OFFLINE)


def _notebooks(
    site: _Site, executed: Iterable[Path], bodies: Iterator[str]
) -> list[dict[str, str]]:
    made = []
    for path in executed:
        write_text(site.folder / "notebooks" / f"{path.stem}.html", next(bodies))
        made.append({"name": path.stem, "link": f"notebooks/{path.stem}.html"})
    return made


def _page(exporter: HTMLExporter, notebook: NotebookNode) -> str:
    """A notebook's page. Formulas are put in last: nbconvert takes the tags of MathML apart."""
    made: list[str] = []

    def put_aside(found: re.Match) -> str:
        made.append(_mathml(found))
        return f"\ue000{len(made) - 1}\ue001"  # of Unicode's private use area

    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = FORMULA.sub(put_aside, cell.source)
    body, _ = exporter.from_notebook_node(notebook)
    return re.sub("\ue000(\\d+)\ue001", lambda found: made[int(found[1])], body)


def _markdown(executed: Sequence[Path]) -> str:
    if not executed:
        return ""
    cells = nbformat.read(executed[0], as_version=4).cells
    return next((cell.source for cell in cells if cell.cell_type == "markdown"), "")


def _heading(executed: Sequence[Path], name: str) -> str:
    """The notebook's own heading without its number."""
    first = _markdown(executed).partition("\n")[0]
    heading = re.sub(r"^#\s*(\d+\s*·\s*)?", "", first).strip()
    return heading or name.replace("_", " ")


def _lead(executed: Sequence[Path]) -> str:
    """HTML of what stands below the notebook's heading."""
    text = formulas_as_mathml(_markdown(executed).partition("\n")[2])
    return MarkdownIt("commonmark").enable("table").render(text)


def formulas_as_mathml(markdown: str) -> str:
    r"""LaTeX between ``$`` or ``$$`` as MathML, which browsers draw without a script or a network.

    A lone ``$``, or one after a backslash, stays as it is.
    """
    return FORMULA.sub(_mathml, markdown)


def _mathml(found: re.Match) -> str:
    # The converter puts a tag right behind its equation.
    latex = re.sub(r"\\tag\{(.+?)\}", r"\\qquad (\1)", found[2].strip())
    return convert(latex, display="block" if found[1] == "$$" else "inline")
