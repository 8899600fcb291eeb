"""The whole chain on a data folder as somebody might have it, without what is optional.

The numbers are simulated; the folder, the profile and the run are those of measured data: captions
where nsd_access keeps them, label tables as people write them, no anatomy and no transforms.
"""

import json
import os
import shutil
import subprocess
import sys

import nbformat
import nibabel as nib
import numpy as np
import pytest
import yaml

from havir_lib.config import load_config
from havir_lib.data.anatomy import anatomy_of
from havir_lib.data.layout import ANATOMY, GLASS_BRAIN, SURFACE, layout_of
from havir_lib.paths import PROJECT_ROOT
from havir_lib.simulation.tree import MARKER, write_tree

SMALL = {
    "simulation.trials_per_session": 75,
    "simulation.n_shared": 8,
    "data.subjects": ["subj01", "subj02"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of an odd name that holds the data, and a profile that names nothing simulated."""
    place = tmp_path_factory.mktemp("measured")
    config, root = load_config("smoke", SMALL), place / "nsd #2 {x}"
    write_tree(config, root)
    (root / MARKER).unlink()  # as if they were measured
    for name in config.data.subjects:
        make_bare(root, config, name)
    profile = config.model_dump(mode="json") | {"simulation": None, "profile": "own"}
    profile["data"]["root"] = None
    profile["weights"]["small_for_photographs"] = True
    (place / "own.yaml").write_text(yaml.safe_dump(profile))
    return place


def make_bare(root, config, name):
    layout = layout_of(config, root)
    for what in (ANATOMY, GLASS_BRAIN, SURFACE):
        for file in anatomy_of(layout, name).needs[what]:
            file.unlink()
    own = layout.label_directories(name)[0]
    own.mkdir(parents=True, exist_ok=True)
    (own / "another.mgz.ctab").write_text("this is no label table\n")
    shutil.copy(layout.roi(name, "floc-faces"), layout.roi(name, "another"))
    table = layout.label_directories(name)[1] / "prf-visualrois.mgz.ctab"
    (own / table.name).write_bytes(b"\xef\xbb\xbf# mine\r\n\r\n" + table.read_bytes())
    volume = nib.load(layout.roi(name, "another"))
    assert np.asarray(volume.dataobj).max() > 1


@pytest.fixture(scope="module")
def done(folder):
    """The run, started from the folder with relative paths."""
    command = [sys.executable, str(PROJECT_ROOT / "havir_lib"), "run", "--profile", "own.yaml"]
    command += ["--data", "nsd #2 {x}", "--overrides", '{"workspace": "out of it"}', "--cores", "2"]
    return subprocess.run(
        command, cwd=folder, env=os.environ, capture_output=True, text=True, timeout=900
    )


def test_the_chain_ends_well_without_what_is_optional(folder, done):
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]
    assert (folder / "out of it" / "site" / "index.html").is_file()
    assert "neither publish nor host" in done.stdout


def outputs(folder, name):
    book = nbformat.read(folder / "out of it" / "notebooks" / f"{name}.ipynb", as_version=4)
    return json.dumps([cell.get("outputs", []) for cell in book.cells])


def test_it_says_what_was_left_out(folder, done):
    assert "Left out of maps on the average surface: subj01 (no lh." in outputs(
        folder, "01_roi_definition"
    )
    assert "Left out of maps on MNI's glass brain" in outputs(folder, "09_interpretability")
    sidecar = json.loads((folder / "out of it" / "figures" / "roi_maps.json").read_text())
    assert "for lack of T1_to_func1pt8mm.nii.gz of subj01" in sidecar["caption"]
    assert sidecar["data"] == "measured"


def test_the_check_says_the_same_and_finds_no_error(folder):
    command = [sys.executable, str(PROJECT_ROOT / "havir_lib"), "subject", "check"]
    command += ["nsd #2 {x}", "--subject", "subj01", "--profile", "own.yaml"]
    found = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert found.returncode == 0, found.stdout + found.stderr
    assert "anatomy behind maps: missing T1_to_func1pt8mm.nii.gz" in found.stdout
    assert "another: labels cannot be named" in found.stdout
