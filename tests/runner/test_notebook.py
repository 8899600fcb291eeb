"""A notebook runs in this interpreter's kernel, wherever the project and the workspace lie."""

import json
import os
import string
import subprocess
import sys

import nbformat
import pytest

from havir_lib.io import read_json, write_json
from havir_lib.paths import PROJECT_ROOT
from havir_lib.runner import notebook as runner
from havir_lib.runner.explain import explain

ODD = [
    *(f"a{sign}b" for sign in string.punctuation if sign != "/"),
    "with space", " leading", "trailing ", "two  spaces", "-dash", "--option", "~", "$HOME",
    "$(id)",
    "`id`", "{x}", "{{x}}", "{", "%s", "a;b && c", "nsd #2", "null", "naïve", "日本", "new\nline",
    "tab\tbed",
    "\\n", "C:\\x", "a=b", "[ab]*?", "'\"'",
    "{connection_file}",
]  # fmt: skip


def make_notebook(path, *cells):
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(x) for x in cells])
    book.cells[0].metadata["tags"] = ["parameters"]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(book, path)


def notebook_step(folder, *cells, parameters=None):
    make_notebook(folder / "in.ipynb", *cells)
    request = {
        "notebook": str(folder / "in.ipynb"),
        "log": str(folder / "logs" / "in.ipynb"),
        "executed": str(folder / "out.ipynb"),
        "parameters": parameters or {},
        "cwd": str(folder),
        "variables": {"SAID_BY_THE_PLAN": "yes"},
    }
    return {
        "command": [sys.executable, "-m", "havir_lib.runner.notebook", json.dumps(request)],
        "cwd": str(PROJECT_ROOT),
        "outputs": [str(folder / "out.ipynb")],
        "log": str(folder / "logs" / "in.txt"),
        "threads": 2,
        "resources": {"mem_mb": 100},
        "key": "1",
    }


def run_step(folder, step, **variables):
    (folder / "run" / "done").mkdir(parents=True)
    write_json(folder / "run" / "plan.json", {"s": step})
    command = [
        sys.executable,
        "-m",
        "havir_lib.runner.step",
        str(folder / "run" / "plan.json"),
        "s",
    ]
    return subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env=os.environ | {"SLURM_JOB_ID": "1"} | variables,  # nobody holds a lock to follow
        capture_output=True,
        text=True,
        timeout=120,
    )


def printed(folder):
    book = nbformat.read(folder / "logs" / "in.ipynb", as_version=4)
    return [output.text for cell in book.cells for output in cell.outputs if "text" in output]


LOOK = """
import json, os, sys, havir_lib, numpy
names = ["OMP_NUM_THREADS", "MPLCONFIGDIR", "PYTHONNOUSERSITE", "MPLBACKEND"]
names.append("SAID_BY_THE_PLAN")
print(json.dumps({"python": sys.executable, "library": havir_lib.__file__, "numpy": numpy.__file__,
      "cwd": os.getcwd(), **{name: os.environ.get(name) for name in names}}))
"""


def test_the_kernel_is_this_python_with_this_library(tmp_path):
    """Not the machine's python3 kernel, nor the packages of a PYTHONPATH; no home to write to."""
    other = {"argv": ["/bin/false"], "display_name": "another", "language": "python"}
    write_json(tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json", other)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "papermill.py").write_text("raise ImportError('a foreign package')")
    folder = tmp_path / "work {x} $(id) #2: 'é'"
    done = run_step(
        folder,
        notebook_step(folder, "x = 0", LOOK),
        JUPYTER_PATH=str(tmp_path / "jupyter"),
        PYTHONPATH=str(tmp_path / "foreign"),
        HOME="/proc/nowhere",
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(printed(folder)[0])
    assert seen["python"] == sys.executable
    assert seen["library"] == str(PROJECT_ROOT / "havir_lib" / "__init__.py")
    assert seen["cwd"] == str(folder)
    assert seen["OMP_NUM_THREADS"] == "2"
    assert seen["PYTHONNOUSERSITE"] == "1"
    assert seen["SAID_BY_THE_PLAN"] == "yes"
    assert seen["MPLCONFIGDIR"] == str(folder / "run" / "matplotlib")
    assert (folder / "run" / "done" / "s").is_file()


def test_parameters_arrive_as_they_are(tmp_path):
    given = {"a": None, "b": {"x.y": None, "z": "$(id) 'q' \"r\" {s} #"}, "c": [1, 2.5, True]}
    show = "import json; print(json.dumps([a, b, c]))"
    done = run_step(tmp_path, notebook_step(tmp_path, "a = b = c = 0", show, parameters=given))
    assert done.returncode == 0, done.stderr
    assert json.loads(printed(tmp_path)[-1]) == list(given.values())


def test_a_failing_cell_leaves_its_log_and_one_sentence(tmp_path):
    fail = "import errno; raise OSError(errno.ENOSPC, 'No space left on device', '/data/x')"
    done = run_step(tmp_path, notebook_step(tmp_path, "x = 0", "print('so far')", fail))
    assert done.returncode == 1
    stopped = read_json(tmp_path / "run" / "stopped.json")
    assert stopped["what"].startswith("The disk is full")
    assert "/data/x" in stopped["what"]
    assert "so far" in (tmp_path / "logs" / "in.ipynb").read_text()
    assert not (tmp_path / "out.ipynb").exists()
    assert not (tmp_path / "run" / "done" / "s").exists()


@pytest.mark.parametrize("name", ODD)
def test_papermill_takes_odd_paths_as_they_are(tmp_path, name, monkeypatch):
    """40 names and more; the kernel itself is another test's."""
    made = {}

    def record(notebook, log, *_, **options):
        from papermill.parameterize import parameterize_path

        made.update(notebook=parameterize_path(notebook, {}), log=parameterize_path(log, {}))
        nbformat.write(nbformat.v4.new_notebook(), tmp_path / name / "log.ipynb")

    monkeypatch.setattr(runner.papermill, "execute_notebook", record)
    folder = tmp_path / name
    paths = [str(folder / x) for x in ("in.ipynb", "log.ipynb", "out.ipynb")]
    runner.execute(*paths, parameters={}, cwd=str(folder), variables={})
    assert list(made.values()) == paths[:2]
    assert nbformat.read(folder / "out.ipynb", as_version=4).cells == []
    assert not (tmp_path / "pwned").exists()


def test_a_kernel_that_dies_before_it_runs_anything_is_started_again(tmp_path, monkeypatch):
    tries = []

    def dies_twice(notebook, log, *_, **options):
        tries.append(log)
        if len(tries) < 3:
            raise RuntimeError("Kernel died before replying to kernel_info")
        nbformat.write(nbformat.v4.new_notebook(), tmp_path / "log.ipynb")

    monkeypatch.setattr(runner.papermill, "execute_notebook", dies_twice)
    paths = [str(tmp_path / x) for x in ("in.ipynb", "log.ipynb", "out.ipynb")]
    runner.execute(*paths, parameters={}, cwd=str(tmp_path), variables={})
    assert len(tries) == 3
    tries.clear()
    monkeypatch.setattr(runner, "TRIES", 2)
    with pytest.raises(RuntimeError, match="Kernel died"):
        runner.execute(*paths, parameters={}, cwd=str(tmp_path), variables={})


@pytest.mark.parametrize(
    ("kind", "message", "expected"),
    [
        ("OutOfMemoryError", "CUDA out of memory. Tried to allocate 2 GiB", "diffusion.batch_size"),
        ("AcceleratorError", "CUDA error: out of memory", "diffusion.batch_size"),
        ("RuntimeError", "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when", "training.*.batch_size"),
        ("OSError", "[Errno 28] No space left on device: 'x'", "disk is full"),
        ("DeadKernelError", "Kernel died", "resources.mem_mb"),
        ("WeightsError", "clip must be\n 'mini'", "WeightsError: clip must be 'mini'"),
    ],
)
def test_errors_say_how_to_go_on(kind, message, expected):
    assert expected in explain(kind, message)
