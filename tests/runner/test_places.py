"""Executed notebooks can be shared: they name no place of the machine they ran on."""

import json
import sys
from pathlib import Path

import nbformat
import pytest

from havir_lib.paths import PROJECT_ROOT
from havir_lib.runner.places import without_places

PARAMETERS = {
    "profile": "/home/ann/mine.yaml",
    "overrides": {
        "workspace": "/scratch/ann lab/run",
        "data.root": "/scratch/nsd",
        "extensions": ["/home/ann/mine.py"],
        "device": "cpu",
        "comparison": {"template_folder": "/", "pictures": {"x": "/scratch/x/{subject}"}},
    },
}


def ran(text):
    """A notebook that printed `text`, in two pieces, and in all other ways."""
    cell = nbformat.v4.new_code_cell(f"path = {text!r}")
    cell.metadata["papermill"] = {"start_time": "now"}
    half = len(text) // 2
    out = nbformat.v4.new_output
    cell.outputs = [
        out("stream", name="stdout", text=text[:half]),
        out("stream", name="stdout", text=text[half:]),
        out("display_data", data={"text/html": f"<b>{text}</b>", "image/png": "iVBOR/tmp"}),
        out("error", ename="E", evalue=text, traceback=[text]),
    ]
    book = nbformat.v4.new_notebook(cells=[cell, nbformat.v4.new_markdown_cell(text)])
    book.metadata["papermill"] = {"input_path": text}
    return book


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/scratch/ann lab/run/figures/a.png", "<workspace>/figures/a.png"),
        ("/scratch/nsd", "<data.root>"),
        ("/scratch/nsd2/file", "/scratch/nsd2/file"),  # another folder
        ("/home/ann/mine.py", "<extensions>"),
        ("/scratch/x/{subject}", "<x>"),
        (f"{PROJECT_ROOT}/havir_lib/io.py", "<project>/havir_lib/io.py"),
        (f"{sys.prefix}/lib/numpy.py", "<environment>/lib/numpy.py"),
        (f"{Path.home()}/notes", "~/notes"),
        ("a / b, cpu", "a / b, cpu"),
    ],
)
def test_paths_become_names_wherever_they_stand(path, name):
    book = without_places(ran(path), PARAMETERS)
    stream, shown, error = book.cells[0].outputs
    assert stream.text == name
    assert shown.data == {"text/html": f"<b>{name}</b>", "image/png": "iVBOR/tmp"}
    assert (error.evalue, error.traceback) == (name, [name])
    assert book.cells[0].source == f"path = {name!r}"
    assert book.cells[1].source == name
    assert "papermill" not in json.dumps(book)


def test_streams_stay_apart():
    book = ran("x")
    book.cells[0].outputs[1].name = "stderr"
    assert [x.get("name") for x in without_places(book, {}).cells[0].outputs[:2]] == [
        "stdout",
        "stderr",
    ]
