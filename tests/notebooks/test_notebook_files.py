"""The notebooks as files: clean, short cells, one parameter cell, every result made once."""

import ast

import nbformat
import pytest

from havir_lib.pages.index import ALSO, PAGES
from havir_lib.paths import PROJECT_ROOT
from havir_lib.workflow import AFTER, PER_SUBJECT

NOTEBOOKS = sorted((PROJECT_ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param, nbformat.read(request.param, as_version=4)


def _code(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def test_workflow_knows_every_notebook():
    assert [path.stem for path in NOTEBOOKS] == sorted(AFTER)


def test_every_figure_and_table_has_one_notebook():
    made = [page.name for page in PAGES]
    assert len({(page.kind, page.name) for page in PAGES}) == len(made)
    assert {name[:4] for name in made if name.startswith("fig")} == {f"fig{n}" for n in range(1, 7)}
    assert {name[:6] for name in made if name.startswith("tab")} == {
        f"table{n}" for n in range(1, 5)
    }


def test_one_parameter_cell_with_profile(notebook):
    path, content = notebook
    tagged = [cell for cell in content.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    names = [node.targets[0].id for node in ast.parse(tagged[0].source).body]
    assert names == ["profile", "overrides", *(["subject"] if path.stem in PER_SUBJECT else [])]


def test_cells_are_short_and_define_next_to_nothing(notebook):
    path, content = notebook
    for cell in _code(content.cells):
        statements = ast.parse(cell.source).body
        lines = [line for line in cell.source.splitlines() if line.strip()]
        imports = all(isinstance(x, ast.Import | ast.ImportFrom) for x in statements)
        assert len(lines) <= (16 if imports else 10), cell.source
        defined = [x for x in statements if isinstance(x, ast.FunctionDef | ast.ClassDef)]
        assert not defined or path.stem == "11_make_it_yours"
        assert all(len(function.body) <= 3 for function in defined)


def _is_setup(cell):
    """Parameters, imports, and the opening of the run."""
    return all(
        isinstance(x, ast.Import | ast.ImportFrom | ast.Assign)
        and "open_run" in ast.unparse(x)
        or isinstance(x, ast.Import | ast.ImportFrom)
        for x in ast.parse(cell.source).body
    ) or "parameters" in cell.metadata.get("tags", [])


def test_prose_stands_beside_code(notebook):
    _, content = notebook
    prose = [cell for cell in content.cells if cell.cell_type == "markdown"]
    working = [cell for cell in _code(content.cells) if not _is_setup(cell)]
    assert len(prose) >= 0.5 * len(working)
    assert prose[0].source.startswith("# ")


def calls_in(cells):
    """``module.function`` of every call with a run."""
    tree = ast.parse("\n".join(cell.source for cell in _code(cells)))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and node.args]
    return {ast.unparse(call.func) for call in calls if ast.unparse(call.args[0]) == "run"}


def test_shows_every_figure_and_table_that_is_its_own(notebook):
    path, content = notebook
    expected = {page.made_by for page in PAGES if page.notebook == path.stem}
    assert expected <= calls_in(content.cells), "a figure's or table's cell is missing"


def test_shows_no_figure_or_table_of_another_notebook(notebook):
    path, content = notebook
    if path.stem not in ALSO:
        others = {page.made_by for page in PAGES if page.notebook != path.stem}
        assert not others & calls_in(content.cells)


def test_the_index_names_functions_and_every_one_of_them():
    found = set()
    for file in sorted((PROJECT_ROOT / "havir_lib" / "pages").glob("*.py")):
        for node in ast.parse(file.read_text()).body:
            marks = {ast.unparse(mark) for mark in getattr(node, "decorator_list", [])}
            kinds = {"figure": "figure", "table": "table", "published": "table"}
            found |= {(kinds[mark], f"{file.stem}.{node.name}") for mark in marks & set(kinds)}
    assert found == {(page.kind, page.made_by) for page in PAGES}


def test_what_may_be_left_out_is_no_promise():
    """A page that may give a sentence instead of a figure or table says so by its annotation."""
    marked = [
        (file.stem, node)
        for file in sorted((PROJECT_ROOT / "havir_lib" / "pages").glob("*.py"))
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.decorator_list and node.returns
    ]
    may = {f"{stem}.{node.name}" for stem, node in marked
           if "str" in ast.unparse(node.returns).split(" | ")}  # fmt: skip
    assert may
    assert {page.made_by for page in PAGES if page.made_by in may and page.promised} == set()
