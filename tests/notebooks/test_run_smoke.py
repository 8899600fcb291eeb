"""The whole chain on the smallest profile: all notebooks in full; slow: the core after a kill."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pandas as pd
import pytest
from PIL import Image

from benchmarks.gpu import notebooks
from havir_lib import open_run
from havir_lib.paths import FIGURE, PROJECT_ROOT
from havir_lib.room import needed
from havir_lib.workflow import Plan

TIMEOUT = 2400
ACROSS_METHODS = ["best", "p_holm"]
"""Columns that depend on which other methods stand in the table."""
OF_ALL_METHODS = {"fig3_comparison", "comparison_scores"}
"""Figures that show every method; a full run has more of them."""


def _command(workspace, *extra):
    overrides = json.dumps({"workspace": str(workspace)})
    command = [sys.executable, "-m", "havir_lib", "run", "--profile", "smoke"]
    return [*command, "--overrides", overrides, "--cores", "2", *extra]


def _environment():
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    return os.environ | {"PATH": path}


def _run(workspace, *extra):
    return subprocess.run(
        _command(workspace, *extra),
        cwd=PROJECT_ROOT,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
    )


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """Folder and outcome of a full run."""
    workspace = tmp_path_factory.mktemp("whole")
    return workspace, _run(workspace, "--full")


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Folder and outcome of a core run that was killed in mid-training and started again."""
    workspace = tmp_path_factory.mktemp("killed")
    _start_and_kill(workspace)
    return workspace, _run(workspace)


def _start_and_kill(workspace):
    process = subprocess.Popen(
        _command(workspace),
        cwd=PROJECT_ROOT,
        env=_environment(),
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    training = workspace / "cache" / "trained_structural"
    deadline = time.monotonic() + TIMEOUT
    while not training.exists() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)  # in the middle of training
    process.wait()
    assert training.exists()
    assert not (workspace / "site" / "index.html").exists()


@pytest.fixture
def finished(whole):
    workspace, result = whole
    assert result.returncode == 0, result.stdout[-4000:] + result.stderr[-8000:]
    return Plan.of("smoke", {"workspace": str(workspace), "comparison.full": True})


def results(plan, suffix):
    return [path for step in plan.steps for path in step.outputs if path.endswith(suffix)]


def test_every_notebook_ran_without_error(finished):
    for path in results(finished, ".ipynb"):
        notebook = nbformat.read(path, as_version=4)
        outputs = [out for cell in notebook.cells for out in cell.get("outputs", [])]
        assert outputs, path
        assert not [out for out in outputs if out.output_type == "error"]


def test_paper_figures_and_tables_exist_with_provenance_and_stamp(finished):
    paths = results(finished, FIGURE) + results(finished, ".csv")
    assert len(paths) >= 10
    for path in paths:
        sidecar = json.loads(Path(path).with_suffix(".json").read_text())
        published = Path(path).stem == "published_scores"  # of papers, whatever the run's data are
        assert sidecar["data"] == ("measured" if published else "SIMULATED")
        assert sidecar["settings"]["diffusion"]["steps"] == finished.config.diffusion.steps
        assert sidecar["software"]["source"]
        text = json.dumps(sidecar)
        assert str(finished.workspace.root) not in text
        assert str(PROJECT_ROOT) not in text
        for result in sidecar["results"]:  # each can be followed to its recipe
            assert (finished.workspace.cache / result / "recipe.json").is_file()


def test_nothing_that_a_run_publishes_names_a_place_of_this_machine(finished):
    root = finished.workspace.root
    kept = (
        "cache",
        "run",
        "logs",
        ".snakemake",
        "lesson",  # files of a user's own, as notebook 12 makes them
    )  # what the run works with, and the log of each step
    files = [
        path
        for folder in (root, finished.workspace.figures, finished.workspace.tables)
        for path in folder.rglob("*")
        if path.is_file() and not set(path.relative_to(folder).parts[:-1]) & set(kept)
    ]
    assert {".html", ".ipynb", FIGURE, ".csv", ".json"} <= {path.suffix for path in files}
    for path in files:
        content = path.read_bytes()
        for place in (root, PROJECT_ROOT, sys.prefix, Path.home()):
            assert len(str(place)) < 5 or str(place).encode() not in content, (path, place)


def test_figures_are_pictures_and_not_blank(finished):
    for path in finished.workspace.figures.glob(f"*{FIGURE}"):
        picture = Image.open(path).convert("L")
        assert picture.width > 400
        low, high = picture.getextrema()
        assert high - low > 50, path


def test_tables_are_long_and_hold_what_they_promise(finished):
    tables = finished.workspace.tables
    ablations = pd.read_csv(tables / "table4_ablations.csv")
    assert {"configuration", "subject", "metric", "value", "low", "high", "n"} <= set(ablations)
    assert set(ablations["configuration"]) == {
        "HAVIR",
        "only z'",
        "w/o e_cap",
        "w/o e_img",
        "w/o z'",
    }
    assert set(ablations["data"]) == {"SIMULATED"}
    comparison = pd.read_csv(tables / "table3_comparison.csv")
    assert set(comparison.loc[comparison["source"] == "rerun", "data"]) == {"SIMULATED"}
    assert (ablations["low"] <= ablations["value"]).all()
    assert (ablations["value"] <= ablations["high"]).all()


def test_disk_that_was_announced_was_enough_and_not_far_too_much(finished):
    held = sum(file.stat().st_size for file in finished.workspace.cache.rglob("*"))
    announced = sum(needed(finished.config).values())
    assert announced / 4 < held < announced


def test_the_site_shows_every_figure_and_table_and_nothing_is_missing(finished):
    site = Path(finished.report).parent
    pages = "".join(path.read_text() for path in site.glob("*.html"))
    place = finished.workspace
    results = [*place.figures.glob(f"*{FIGURE}"), *place.tables.glob("*.csv")]
    assert len(results) > 40
    for path in results:
        if not path.stem.startswith(("mini_", "table3_comparison_per", "table4_ablations_per")):
            assert f"files/{path.name}" in pages, path.name
    for text in re.findall(r'src="([^"]+)"', pages):
        assert text.startswith("data:") or (site / text).is_file(), text
    assert "SIMULATED" in pages


def test_the_explorer_has_a_picture_and_scores_of_everything(finished):
    site = Path(finished.report).parent
    text = (site / "explorer-data.js").read_text()
    data = json.loads(text.removeprefix("window.HAVIR = ").strip().removesuffix(";"))
    assert set(data["scores"]) == set(finished.config.data.subjects)
    for subject, methods in data["scores"].items():
        assert {"HAVIR", "true targets", "HAVIR w/o z'"} <= set(methods)
        for method, images in methods.items():
            folder = site / "explorer" / subject / str(data["methods"].index(method))
            for image, values in images.items():
                assert (folder / f"{image}.webp").is_file()
                assert (site / "explorer" / "stimuli" / f"{image}.webp").is_file()
                assert len(values) == len(data["metrics"])
    assert {image["group"] for image in data["images"]} > {"kitchen"} or len(data["images"]) < 9


def test_second_run_has_nothing_to_do(finished):
    before = {path: path.stat().st_mtime_ns for path in finished.workspace.figures.iterdir()}
    result = _run(finished.config.workspace, "--full")
    assert result.returncode == 0
    assert "Nothing to be done" in result.stdout + result.stderr
    assert before == {p: p.stat().st_mtime_ns for p in finished.workspace.figures.iterdir()}


def test_commands_of_a_finished_run(finished, tmp_path):
    workspace = {"workspace": finished.config.workspace, "comparison.full": True}
    given = ["--profile", "smoke", "--overrides", json.dumps(workspace)]
    run = open_run("smoke", workspace)
    made = run.images("subj01", "ridge")
    for image, picture in zip(made.image_ids, made.images, strict=True):
        Image.fromarray(picture).save(tmp_path / f"{image}.png")
    scored = _havir("evaluate", str(tmp_path), *given)
    own = run.scores("subj01", "ridge").groupby("metric")["value"].mean()
    assert f"{own['PixCorr']:.4f}" in scored
    _havir("export", str(tmp_path / "model"), "--subject", "subj01", *given)
    assert (tmp_path / "model" / "model.json").is_file()


def _havir(*arguments):
    command = [sys.executable, "-m", "havir_lib", *arguments]
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_a_killed_run_continues_to_the_same_tables(finished, killed):
    workspace, result = killed
    assert result.returncode == 0, result.stderr[-8000:]
    tables = list((workspace / "tables").glob("*.csv"))
    assert {"table3_comparison", "table4_ablations"} <= {table.stem for table in tables}
    for table in tables:
        assert _rows(table) <= _rows(finished.workspace.tables / table.name), table.name
    figures = list((workspace / "figures").glob(f"*{FIGURE}"))
    assert len(figures) > 10
    for figure in figures:
        if figure.stem not in OF_ALL_METHODS:
            whole = finished.workspace.figures / figure.name
            assert figure.read_bytes() == whole.read_bytes(), figure.name


@pytest.mark.slow
def test_runs_in_other_folders_have_the_same_keys_and_sidecars(finished, killed):
    workspace, _ = killed
    cache = workspace / "cache"
    made = {path.parent.relative_to(cache) for path in cache.glob("*/*/recipe.json")}
    assert len(made) > 20
    assert not [key for key in made if not (finished.workspace.cache / key).is_dir()]
    for path in (workspace / "figures").glob("*.json"):
        if path.stem not in OF_ALL_METHODS:
            here, there = (json.loads((folder / path.name).read_text())
                           for folder in (path.parent, finished.workspace.figures))  # fmt: skip
            for sidecar in (here, there):
                del sidecar["profile"], sidecar["settings"]["comparison"]["full"]
            assert here == there, path.name


def _rows(table):
    frame = pd.read_csv(table, dtype=str, keep_default_na=False)
    return set(frame.drop(columns=ACROSS_METHODS, errors="ignore").itertuples(index=False))


def test_full_adds_baselines_and_controls(finished):
    tables = finished.workspace.tables
    methods = set(pd.read_csv(tables / "table3_comparison.csv")["method"])
    assert {"all voxels", "swapped roles", "template masks", "in the style of MindEye"} <= methods
    claims = pd.read_csv(tables / "crosstalk_claims.csv")
    assert claims["crosstalk"].nunique() == 2
    curve = pd.read_csv(tables / "transfer_curve.csv")
    assert set(curve["method"]) == {"transfer", "from scratch", "ridge"}
    for name in ("held_out_differences", "region_ceilings", "sampler_sweeps"):
        assert set(pd.read_csv(tables / f"{name}.csv")["data"]) == {"SIMULATED"}


def test_the_gpu_kit_compares_with_tables_of_this_code(finished):
    """Refreshed by ``python -m benchmarks.gpu.notebooks``; a full run has further rows."""
    for name in notebooks.COMPARED:
        found = pd.read_csv(finished.workspace.tables / f"{name}.csv")
        expected = pd.read_csv(notebooks.EXPECTED / f"{name}.csv")
        assert set(expected.get("metric", [])) == set(found.get("metric", [])), name
        wanted = notebooks.row_names(expected, expected)
        found = found[[row in wanted for row in notebooks.row_names(found, expected)]]
        assert notebooks.table_difference(found, expected) <= notebooks.ALLOWED, name
