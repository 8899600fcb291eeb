"""The committed notebooks show outputs of their own cells, from the committed figures' run."""

import json
import re
import subprocess

import nbformat
import pytest

from havir_lib.paths import PROJECT_ROOT
from havir_lib.publish.outputs import MARK, code_digest
from havir_lib.workflow import FULL_ONLY

NOTEBOOKS = sorted((PROJECT_ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 1_500_000  # bytes


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return request.param, nbformat.read(request.param, as_version=4)


def committed(name):
    """Text of a committed file, or that is to be, even if a run has since written another."""
    if not (PROJECT_ROOT / ".git").exists():  # an archive of the project: nothing else to go by
        file = PROJECT_ROOT / name
        return file.read_text(encoding="utf-8") if file.is_file() else ""
    shown = subprocess.run(["git", "show", f":{name}"], cwd=PROJECT_ROOT, capture_output=True)
    return shown.stdout.decode()


def test_outputs_are_of_these_cells(notebook):
    path, content = notebook
    found = content.metadata.get(MARK, {}).get("code")
    assert found == code_digest(content), (
        f"{path.name} was edited: run the demo, then havir publish"
    )


def test_outputs_are_of_the_committed_figures_and_tables(notebook):
    path, content = notebook
    variant = "demo-full" if path.stem in FULL_ONLY else "demo"
    for name, results in content.metadata[MARK]["results"].items():
        sidecars = (committed(f"{kind}/{variant}/{name}.json") for kind in ("figures", "tables"))
        known = [json.loads(text)["results"] for text in sidecars if text]
        assert results in known, f"{name} is of another run: havir publish"


def test_notebooks_are_small_and_name_no_place(notebook):
    path, content = notebook
    assert path.stat().st_size < LARGEST
    for cell in content.cells:
        for output in cell.get("outputs", []):
            assert output.output_type != "error"
            text = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
            assert not re.search(r"(^|[\s'\"])/(home|root|work|tmp|Users)/", text)


def test_every_cell_that_shows_something_has_an_output(notebook):
    _, content = notebook
    for cell in content.cells:
        if cell.cell_type == "code" and re.search(r"^\w+\.\w+\(run\)$", cell.source.strip()):
            assert cell.outputs, cell.source
