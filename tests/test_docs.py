"""What README and docs say can be done is done: every command, metric, link and script."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer.main

from havir_lib import cli
from havir_lib.evaluation.metrics import BUILT_IN, METRICS
from havir_lib.paths import PROJECT_ROOT
from havir_lib.publish import TEXTS

DOCS = [PROJECT_ROOT / "README.md", *sorted((PROJECT_ROOT / "docs").glob("*.md"))]
LINKING = [*DOCS, *(PROJECT_ROOT / name for name in (*TEXTS, "benchmarks/gpu/README.md"))]
"""Also the texts that stand elsewhere."""
TESTS = PROJECT_ROOT / "tests"
FENCE = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
SPAN = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")
BEGINS = ("./run_all.sh", ".venv/bin/", "havir ", "pip ", "git ", "jupyter ")
BIN = Path(sys.executable).parent

RUN_BY = {
    "havir run": "notebooks/test_run_smoke.py::test_every_notebook_ran_without_error",
    "havir evaluate": "notebooks/test_run_smoke.py::test_commands_of_a_finished_run",
    "havir export": "notebooks/test_run_smoke.py::test_commands_of_a_finished_run",
    "havir reconstruct": "run/test_exported.py::test_from_the_command_line",
    "havir subject check": "notebooks/test_run_readers.py::test_the_check_agrees",
    "havir download": "download/test_missing.py::test_the_command_fetches_for_one_subject",
    "havir notebooks": "test_wheel.py::test_notebooks_are_copied_out_and_used_from_there",
    "havir publish": "publish/test_numbers.py::test_numbers_in_the_texts_are_those_of_the_tables",
    "pip install": "test_wheel.py::installed",
    "python -m pytest": "test_docs.py::test_links_lead_somewhere",
    "git clone": "test_docs.py::test_a_clone_knows_what_to_do",
}
"""Commands that take long or need something first, and the test that runs each."""


def commands():
    """Every command of README and docs, once: (words, whether it is only a name)."""
    found = {}
    for path in DOCS:
        text = path.read_text(encoding="utf-8")
        fences = [body for kind, body in FENCE.findall(text) if kind == "bash"]
        lines = [(line.strip(), False) for body in fences for line in body.splitlines()]
        spans = [(span, True) for span in SPAN.findall(FENCE.sub("", text))]
        for line, in_prose in lines + spans:
            if line.startswith(BEGINS) and not line.endswith("/"):
                words = shlex.split(line.removeprefix(".venv/bin/"), comments=True)
                found.setdefault(" ".join(words), (words, in_prose))
    return list(found.values())


HAVIR = [(words, prose) for words, prose in commands() if words[0] == "havir"]
SCRIPT = [words for words, _ in commands() if words[0] == "./run_all.sh"]
OTHERS = [words for words, _ in commands() if words[0] not in ("havir", "./run_all.sh")]


def _parse(words: list[str], may_be_a_name: bool) -> None:
    """Parse as the command line does, without doing it; a wrong name or option is an error."""
    name, command, context = "havir", typer.main.get_command(cli.app), None
    rest = list(words)
    while hasattr(command, "resolve_command"):
        context = command.context_class(command, parent=context, info_name=name)
        name, command, rest = command.resolve_command(context, rest)
    if rest or not may_be_a_name:
        command.make_context(name, list(rest), parent=context)


@pytest.mark.parametrize(("words", "prose"), HAVIR, ids=lambda x: str(x)[:60])
def test_the_command_line_understands(words, prose):
    _parse(words[1:], prose)


@pytest.mark.parametrize(
    ("words", "message"),
    [(["simulat"], "No such command"), (["verify", "--ful"], "No such option"),
     (["export"], "Missing parameter: folder")],
)  # fmt: skip
def test_a_wrong_command_would_be_found(words, message):
    with pytest.raises(Exception, match=message):
        _parse(words, False)


QUICK = (
    "havir doctor", "havir verify", "havir subject new", "havir simulate", "ruff check",
    "lint-imports",
)  # fmt: skip


def _kind(words: list[str]) -> str:
    """Program and its command, without arguments."""
    names = [word for word in words if re.fullmatch(r"-?[a-z][a-z-]*", word)]
    known = [*RUN_BY, *QUICK, "jupyter lab", "pre-commit install"]
    fits = [kind for kind in known if names[: len(kind.split())] == kind.split()]
    return max(fits, key=len, default=" ".join(words))


@pytest.mark.parametrize("words", [w for w, _ in HAVIR] + OTHERS, ids=lambda x: " ".join(x)[:60])
def test_each_command_is_run_by_a_test(words):
    kind = _kind(words)
    if kind in RUN_BY:
        file, _, test = RUN_BY[kind].partition("::")
        assert f"def {test}(" in (TESTS / file).read_text(encoding="utf-8")
    else:
        assert kind in {*QUICK, "jupyter lab", "pre-commit install"}, words


@pytest.mark.parametrize(
    "words", [w for w, prose in commands() if _kind(w) in QUICK], ids=lambda x: " ".join(x)[:60]
)
def test_quick_commands_end_well(words, tmp_path):
    program = [sys.executable, "-m", "havir_lib"] if words[0] == "havir" else [BIN / words[0]]
    rest = [str(tmp_path / "new") if word == "DIR" else word for word in words[1:]]
    if words[:2] == ["havir", "simulate"]:
        rest += ["--overrides", json.dumps({"workspace": str(tmp_path / "own")})]
    done = subprocess.run(
        [*program, *rest], cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_clone_knows_what_to_do(tmp_path):
    if not (PROJECT_ROOT / ".git").exists():
        pytest.skip("not a clone itself")
    subprocess.run(["git", "clone", "-q", PROJECT_ROOT, tmp_path / "x"], check=True)
    script = tmp_path / "x" / "run_all.sh"
    said = subprocess.run([script, "--help"], capture_output=True, text=True, check=True)
    assert "./run_all.sh --full" in said.stdout


def test_jupyterlab_opens_the_notebooks(tmp_path):
    assert ["jupyter", "lab", "notebooks"] in OTHERS
    command = [BIN / "jupyter", "lab", "notebooks", "--no-browser", "--allow-root"]
    log = tmp_path / "log"
    with log.open("w") as out:
        server = subprocess.Popen(
            [*command, "--ServerApp.port=0"], cwd=PROJECT_ROOT, stdout=out, stderr=out,
            env=os.environ | {"HOME": str(tmp_path)},
        )  # fmt: skip
        try:
            end = time.monotonic() + 90
            while "is running at" not in log.read_text() and time.monotonic() < end:
                assert server.poll() is None, log.read_text()
                time.sleep(0.2)
        finally:
            server.terminate()
            server.wait(30)
    assert "is running at" in log.read_text()


def test_hooks_can_be_installed(tmp_path):
    assert ["pre-commit", "install"] in OTHERS
    shutil.copy(PROJECT_ROOT / ".pre-commit-config.yaml", tmp_path)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    command = [BIN / "pre-commit", "install"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    assert (tmp_path / ".git" / "hooks" / "pre-commit").is_file()


@pytest.mark.parametrize("words", SCRIPT, ids=" ".join)
def test_the_script_passes_on_what_the_command_line_understands(words, tmp_path):
    """With a Python that only repeats what it is asked to do."""
    if "--conda" in words:
        pytest.skip("makes an environment; what comes after is the same")
    for name in ("run_all.sh", "requirements.lock"):
        shutil.copy(PROJECT_ROOT / name, tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    python.chmod(0o755)
    lock = subprocess.run(["cksum"], stdin=(tmp_path / "requirements.lock").open(),
                          capture_output=True, check=True)  # fmt: skip
    (tmp_path / ".venv" / "complete").write_bytes(lock.stdout)
    clean = {key: value for key, value in os.environ.items()
             if key not in ("VIRTUAL_ENV", "CONDA_PREFIX")}  # fmt: skip
    done = subprocess.run(
        words, cwd=tmp_path, env=clean, capture_output=True, text=True, check=True
    )
    asked = done.stdout.splitlines()
    if "test" in words:
        assert asked[:2] == ["-m", "pytest"]
        return
    assert asked[:2] == [f"{tmp_path}/havir_lib", "run"]
    _parse(asked[1:], False)
    for word in words[1:]:
        assert word in asked


def test_the_table_of_metrics_is_complete():
    text = (PROJECT_ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `")]
    assert [row.split("`")[1] for row in rows] == [name for name in METRICS if name in BUILT_IN]
    for row in rows:
        metric = METRICS[row.split("`")[1]]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert cells[1] == ("↑" if metric.higher_is_better else "↓")
        assert cells[2] == ("" if metric.chance is None else f"{metric.chance:.3g}")
        assert cells[4] == str(metric.preparation.size)
        assert cells[5:] == [metric.description, metric.source]


@pytest.mark.parametrize(
    "path", dict.fromkeys(LINKING), ids=lambda x: str(x.relative_to(PROJECT_ROOT))
)
def test_links_lead_somewhere(path):
    for target in LINK.findall(path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


@pytest.mark.parametrize("path", DOCS, ids=lambda path: path.name)
def test_examples_in_python_do_what_they_say(path):
    """Each block runs by itself; methods and metrics that it adds are known afterwards."""
    for kind, body in FENCE.findall(path.read_text(encoding="utf-8")):
        if kind == "python":
            done = subprocess.run(
                [sys.executable, "-c", body], cwd=PROJECT_ROOT, capture_output=True, text=True
            )
            assert done.returncode == 0, done.stderr
