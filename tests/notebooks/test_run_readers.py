"""The whole chain by papermill on a replica of each layout: exit 0, what is missing is said.

NSD's own layout is that of every other run; without what is optional, test_run_measured.py has it.
"""

import json
import subprocess
import sys

import nbformat
import pandas as pd
import pytest
import yaml

from havir_lib import open_run
from havir_lib.paths import FIGURE, PROJECT_ROOT
from tests.layouts import LAYOUTS

SIMULATED = {"simulation.trials_per_session": 75, "data.subjects": ["subj01"]}
QUICK = {"evaluation.n_bootstrap": 100, "diffusion.steps": 2, "ridge.folds": 2}
SAID = {
    "bids": ("No captions are known", "Left out of maps on the average surface: sub-subj01"),
    "surface": ("Maps of slices are left out: betas lie on a surface (sub-subj01: fsaverage5)",),
    "mindeye": ("Maps are left out: where the voxels of subj01 lie is not known",),
    "mindeye1": ("Maps are left out: where the voxels of subj01 lie is not known",),
    "laion_fmri": ("Left out of maps on the average surface: sub-01",),
}
"""Sentences that stand where something is left out."""


@pytest.fixture(
    scope="module",
    params=[
        "bids",
        pytest.param("surface", marks=pytest.mark.slow),
        pytest.param("mindeye", marks=pytest.mark.slow),
        pytest.param("mindeye1", marks=pytest.mark.slow),
        pytest.param("laion_fmri", marks=pytest.mark.slow),
        pytest.param("bids --full", marks=pytest.mark.slow),
    ],
)
def done(request, tmp_path_factory):
    """Layout, its folder, that of its results, and the run."""
    layout, *full = request.param.split()
    place = tmp_path_factory.mktemp(layout)
    simulated = open_run("smoke", {**SIMULATED, "workspace": str(place / "simulated")})
    settings = LAYOUTS[layout](simulated.reader, "subj01", place / "data")
    base = settings["data.subjects"][0]
    profile = {"extends": "smoke", "profile": "toy", "simulation": None}
    for key, value in {
        **QUICK,
        **settings,
        "data.root": str(place / "data"),
        "data.base_subject": base,
        "weights.small_for_photographs": True,
        "workspace": str(place / "out"),
    }.items():
        *above, last = key.split(".")
        section = profile
        for name in above:
            section = section.setdefault(name, {})
        section[last] = value
    (place / "toy.yaml").write_text(yaml.safe_dump(profile))
    command = [sys.executable, "-m", "havir_lib", "run", "--profile", str(place / "toy.yaml")]
    command += ["--cores", "2", *full]
    result = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=2400)
    return layout, place, place / "out" / ("toy-full" if full else ""), result


def test_every_notebook_runs(done):
    _, _, out, result = done
    assert result.returncode == 0, result.stdout[-3000:] + result.stderr[-6000:]
    assert (out / "site" / "index.html").is_file()
    assert len(list((out / "figures").glob(f"*{FIGURE}"))) > 15
    table = pd.read_csv(out / "tables" / "table3_comparison.csv")
    assert {"HAVIR", "ridge"} <= set(table["method"])
    regions = pd.read_csv(out / "tables" / "table1_rois.csv")
    assert {"structural", "semantic"} <= set(regions["role"])


def test_what_is_left_out_is_said(done):
    layout, _, out, result = done
    assert result.returncode == 0
    books = (out / "notebooks").glob("*.ipynb")
    cells = [cell for path in books for cell in nbformat.read(path, as_version=4).cells]
    said = json.dumps([cell.get("outputs", []) for cell in cells])
    for sentence in SAID[layout]:
        assert sentence in said


def test_the_check_agrees(done):
    _, place, _, result = done
    profile = yaml.safe_load((place / "toy.yaml").read_text())
    command = [sys.executable, "-m", "havir_lib", "subject", "check", str(place / "data")]
    command += ["--subject", profile["data"]["base_subject"]]
    command += ["--profile", str(place / "toy.yaml")]
    found = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, timeout=300)
    assert (found.returncode == 0) == (result.returncode == 0), found.stdout + found.stderr
