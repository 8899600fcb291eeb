"""Outputs that are committed: small, without noise, and refused if they are of other cells."""

import base64
import io
import json

import nbformat
import numpy as np
import pytest
from PIL import Image

from havir_lib.errors import DataError
from havir_lib.publish.outputs import outputs_into, preview


def png(width, height):
    pixels = np.random.default_rng(0).integers(0, 255, (height, width, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return base64.b64encode(buffer.getvalue()).decode()


@pytest.fixture
def pair(tmp_path):
    """A notebook of two cells, and its executed copy with an injected cell."""
    v4 = nbformat.v4
    cells = [v4.new_markdown_cell("# A"), v4.new_code_cell("print(1)"),
             v4.new_code_cell("framework.stimuli(run)")]  # fmt: skip
    source, executed = tmp_path / "a.ipynb", tmp_path / "ran.ipynb"
    nbformat.write(v4.new_notebook(cells=cells), source)
    ran = nbformat.read(source, as_version=4)
    ran.cells[1].outputs = [
        v4.new_output("stream", name="stdout", text="scores: found in cache\n1\n"),
        v4.new_output("stream", name="stderr", text="50%|####"),
        v4.new_output("execute_result", data={"text/plain": "<function f at 0x7f3c>"}),
        v4.new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {}}),
    ]
    ran.cells[2].outputs = [
        v4.new_output("execute_result", data={"image/png": png(1600, 900), "text/plain": "x"})
    ]
    ran.cells.insert(1, v4.new_code_cell('profile = "demo"'))
    nbformat.write(ran, executed)
    (tmp_path / "stimuli.json").write_text(json.dumps({"results": ["nsd/1"]}))
    (tmp_path / "gallery.json").write_text(json.dumps({"results": ["nsd/2"]}))
    return source, executed


def test_outputs_are_what_a_reader_wants(pair, tmp_path):
    made = outputs_into(*pair, tmp_path, tmp_path)
    assert [cell.cell_type for cell in made.cells] == ["markdown", "code", "code"]
    said, named = made.cells[1].outputs
    assert said.text == "1\n"
    assert named.data == {"text/plain": "<function f>"}
    (shown,) = made.cells[2].outputs
    with Image.open(io.BytesIO(base64.b64decode(shown.data["image/jpeg"]))) as image:
        assert image.size == (640, 360)
        assert image.mode == "RGB"
    assert made.metadata["havir"]["results"] == {"stimuli": ["nsd/1"]}
    nbformat.validate(made)


def test_outputs_of_other_cells_are_refused(pair, tmp_path):
    source, executed = pair
    edited = nbformat.read(source, as_version=4)
    edited.cells[1].source = "print(2)"
    nbformat.write(edited, source)
    with pytest.raises(DataError, match="Run the profile again"):
        outputs_into(source, executed, tmp_path, tmp_path)


def test_small_pictures_keep_their_size():
    ((_, content),) = preview(png(60, 40)).items()
    assert Image.open(io.BytesIO(base64.b64decode(content))).size == (60, 40)


def test_lines_stay_png():
    buffer = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(buffer, format="PNG")
    assert list(preview(base64.b64encode(buffer.getvalue()).decode())) == ["image/png"]
