"""The notebooks as files: clean, short cells, one parameter cell, every result made once."""

import ast

import nbformat
import pytest

from havir_lib.paths import PROJECT_ROOT
from havir_lib.workflow import AFTER, FIGURES, PER_SUBJECT, TABLES

NOTEBOOKS = sorted((PROJECT_ROOT / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param, nbformat.read(request.param, as_version=4)


def _code(cells):
    return [cell for cell in cells if cell.cell_type == "code"]


def test_workflow_knows_every_notebook():
    assert [path.stem for path in NOTEBOOKS] == sorted(AFTER)


def test_every_figure_and_table_has_one_notebook():
    made = [name for names in (*FIGURES.values(), *TABLES.values()) for name in names]
    assert len(made) == len(set(made))
    assert {name[:4] for name in made if name.startswith("fig")} == {f"fig{n}" for n in range(1, 7)}
    assert {name[:6] for name in made if name.startswith("tab")} == {
        f"table{n}" for n in range(1, 5)
    }


def test_committed_without_outputs(notebook):
    _, content = notebook
    for cell in _code(content.cells):
        assert cell.outputs == []
        assert cell.execution_count is None


def test_one_parameter_cell_with_profile(notebook):
    path, content = notebook
    tagged = [cell for cell in content.cells if "parameters" in cell.metadata.get("tags", [])]
    assert len(tagged) == 1
    names = [node.targets[0].id for node in ast.parse(tagged[0].source).body]
    assert names == ["profile", "overrides", *(["subject"] if path.stem in PER_SUBJECT else [])]


def test_cells_are_short_and_define_nothing(notebook):
    _, content = notebook
    for cell in _code(content.cells):
        assert len(cell.source.splitlines()) <= 10
        tree = ast.parse(cell.source)
        assert not [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef | ast.ClassDef)]


def test_prose_stands_beside_code(notebook):
    _, content = notebook
    prose = [cell for cell in content.cells if cell.cell_type == "markdown"]
    assert len(prose) >= 0.5 * len(_code(content.cells))
    assert prose[0].source.startswith("# ")


def test_makes_what_the_workflow_expects(notebook):
    path, content = notebook
    source = "\n".join(cell.source for cell in _code(content.cells))
    expected = FIGURES.get(path.stem, []) + TABLES.get(path.stem, [])
    calls = [n for n in ast.walk(ast.parse(source)) if isinstance(n, ast.Attribute)]
    used = {call.attr for call in calls}
    from havir_lib.pipeline import figures, tables

    makers = figures.MAKES | tables.MAKES
    assert {name for name, maker in makers.items() if maker in used} >= set(expected)
