"""A small tree in NSD's layout, written here without the library.

Grid (7, 8, 9), sessions of 20, 20 and 19 trials (unequal on purpose), 2 subjects. Each voxel's
betas are random; the labels are laid out so that V1v and OFA share voxels.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from havir_lib.config import Config, load_config

GRID = (7, 8, 9)
LENGTHS = (20, 20, 19)
N_IMAGES = 60
SHARED = (3, 11, 17, 30)  # 0-based nsdId
AFFINE = np.diag([1.8, 1.8, 1.8, 1.0])
BETAS = "nsddata_betas/ppdata/{}/func1pt8mm/betas_fithrf_GLMdenoise_RR"
ROI = "nsddata/ppdata/{}/func1pt8mm/roi"
TABLES = {  # as FreeSurfer writes them: with and without colours, tabs, a line for Unknown
    "prf-visualrois": "0 Unknown\n1 V1v\n2 V1d\n3 V2v\n",
    "floc-faces": "0\tUnknown\t0 0 0 0\n1\tOFA\t255 0 0 0\n2\tFFA-1\t0 255 0 0\n\n",
    "Kastner2015": "0 Unknown\n1 V1v\n19 IPS1\n",
}


@dataclass
class Tree:
    """The written tree and what went into it."""

    root: Path
    images: dict[str, np.ndarray]  # subject -> nsdId of each trial
    betas: dict[str, np.ndarray]  # subject -> stored int16 (X, Y, Z, all trials)
    labels: dict[str, np.ndarray]  # ROI set -> labels (X, Y, Z)

    def beta_file(self, subject: str, session: int, suffix: str) -> Path:
        return self.root / BETAS.format(subject) / f"betas_session{session:02d}{suffix}"

    def session(self, subject: str, session: int) -> np.ndarray:
        stop = np.cumsum(LENGTHS)[session - 1]
        return self.betas[subject][..., stop - LENGTHS[session - 1] : stop]

    def write_betas(self, subject: str, session: int, values: np.ndarray, suffix: str) -> Path:
        """`values` (X, Y, Z, trials) as NSD would store it."""
        path = self.beta_file(subject, session, suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        if suffix == ".hdf5":
            with h5py.File(path, "w") as file:
                chunks = (values.shape[-1], 1, 1, 1)
                file.create_dataset("betas", data=values.transpose(3, 2, 1, 0), chunks=chunks)
        else:
            nib.save(nib.Nifti1Image(values, AFFINE, dtype=values.dtype), path)
        return path

    def write_roi(self, subject: str, name: str, labels: np.ndarray) -> Path:
        path = self.root / ROI.format(subject) / f"{name}.nii.gz"
        path.parent.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(labels.astype(np.int16), AFFINE), path)
        return path


def _labels(rng: np.random.Generator) -> dict[str, np.ndarray]:
    prf = np.full(GRID, -1)
    prf[1:4, 1:6, 1:7] = 0
    prf[1, 1:5, 1:7] = 1
    prf[2, 2:6, 1:5] = 2
    prf[3, 1:4, 2:4] = 3
    faces = np.where(rng.random(GRID) < 0.5, 0, -1)
    faces[1, 4:7, 1:3] = 1  # two of these voxels are V1v's: (1, 4, 1), (1, 4, 2)
    faces[5, 2:4, 3:8] = 2
    kastner = np.zeros(GRID, int)
    kastner[6, 7, :] = 1
    return {"prf-visualrois": prf, "floc-faces": faces, "Kastner2015": kastner}


def _presentation(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """NSD's design: own images repeated 2-3 times, in an order common to both subjects."""
    own = [i for i in range(N_IMAGES) if i not in SHARED]
    lists = [[*SHARED, *own[s * 17 : s * 17 + 17]] for s in range(2)]  # shared images come first
    order = np.concatenate([np.arange(21), np.arange(21), np.arange(17)])
    return rng.permutation(order) + 1, np.array(lists) + 1


def _write_experiment(tree: Tree, order: np.ndarray, lists: np.ndarray) -> None:
    folder = tree.root / "nsddata/experiments/nsd"
    folder.mkdir(parents=True)
    design = {"masterordering": order[None], "subjectim": lists, "sharedix": np.array(SHARED) + 1}
    savemat(folder / "nsd_expdesign.mat", design)
    table = pd.DataFrame({"cocoId": 900 - np.arange(N_IMAGES), "nsdId": np.arange(N_IMAGES)})
    table["shared1000"] = table["nsdId"].isin(SHARED)
    table.to_csv(folder / "nsd_stim_info_merged.csv")  # with NSD's unnamed first column
    for subject, images in tree.images.items():
        behaviour = tree.root / f"nsddata/ppdata/{subject}/behav"
        behaviour.mkdir(parents=True)
        log = {"SESSION": np.repeat([1, 2, 3], LENGTHS), "73KID": images + 1}
        pd.DataFrame(log).to_csv(behaviour / "responses.tsv", sep="\t", index=False)


def _write_stimuli(tree: Tree, rng: np.random.Generator) -> None:
    folder = tree.root / "nsddata_stimuli/stimuli/nsd"
    (folder / "annotations").mkdir(parents=True)
    with h5py.File(folder / "nsd_stimuli.hdf5", "w") as file:
        file["imgBrick"] = rng.integers(0, 256, (N_IMAGES, 5, 5, 3), dtype=np.uint8)
    annotations = [
        {"id": 10 * image + k, "image_id": 900 - image, "caption": f"image {image}, caption {k}\n"}
        for image in range(N_IMAGES)
        for k in (4, 2, 0, 1, 3, 5)
    ]
    for part, name in ((annotations[::2], "train2017"), (annotations[1::2], "val2017")):
        path = folder / f"annotations/captions_{name}.json"
        path.write_text(json.dumps({"annotations": part}), encoding="utf-8")


@pytest.fixture(scope="session")
def pristine_tree(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Written once; tests get copies, which they may damage."""
    rng = np.random.default_rng(20251003)
    order, lists = _presentation(rng)
    subjects = ("subj01", "subj02")
    images = {s: lists[n, order - 1] - 1 for n, s in enumerate(subjects)}
    shape = (*GRID, sum(LENGTHS))
    betas = {s: rng.integers(-900, 900, shape).astype(np.int16) for s in subjects}
    tree = Tree(tmp_path_factory.mktemp("pristine") / "nsd", images, betas, _labels(rng))
    _write_experiment(tree, order, lists)
    _write_stimuli(tree, rng)
    for name, text in TABLES.items():
        path = tree.root / f"nsddata/freesurfer/fsaverage/label/{name}.mgz.ctab"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for subject in subjects:
        for name, labels in tree.labels.items():
            tree.write_roi(subject, name, labels)
        for session in (1, 2, 3):
            tree.write_betas(subject, session, tree.session(subject, session), ".hdf5")
        ncsnr = nib.Nifti1Image(rng.random(GRID).astype(np.float32), AFFINE)
        nib.save(ncsnr, tree.root / BETAS.format(subject) / "ncsnr.nii.gz")
    return tree


@pytest.fixture
def tree(pristine_tree: Tree, tmp_path: Path) -> Tree:
    root = tmp_path / "nsd"
    shutil.copytree(pristine_tree.root, root)
    return replace(pristine_tree, root=root)


@pytest.fixture
def make_config(tree: Tree, tmp_path: Path) -> Callable[..., Config]:
    """``make_config(**{"data.n_sessions": 2})``: the smoke profile on the small tree."""

    def make(**overrides) -> Config:
        settings = {
            "data.root": str(tree.root),
            "workspace": str(tmp_path / "workspace"),
            "data.roles.structural": ["V1v", "V1d"],
            "data.roles.semantic": ["floc-faces"],
        }
        return load_config("smoke", settings | overrides)

    return make


@pytest.fixture
def config(make_config: Callable[..., Config]) -> Config:
    return make_config()
