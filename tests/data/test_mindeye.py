"""MindEye2's HDF5: the same subject as NSD's own betas give, with and without NSD's masks."""

import h5py
import numpy as np
import pytest

from havir_lib.config import load_config
from havir_lib.data import load_stimuli, load_subject
from havir_lib.data.check import check_subject, has_errors
from havir_lib.data.readers import open_reader
from havir_lib.errors import DataError, HavirError, ShapeError
from tests.data.conftest import GRID, N_IMAGES, SHARED

T = 20
N = 2 * T


@pytest.fixture
def general(tree):
    """A mask that holds every region, written as NSD's nsdgeneral."""
    inside = (tree.labels["prf-visualrois"] > 0) | (tree.labels["floc-faces"] > 0)
    tree.write_roi("subj01", "nsdgeneral", np.where(inside, 1, -1))
    return inside


@pytest.fixture
def files(tree, general, tmp_path):
    """The first two sessions as MindEye2 has them."""
    root = tmp_path / "mindeye"
    root.mkdir()
    values = tree.betas["subj01"][general][:, :N].T.astype(np.float64)  # C order, as vol[mask]
    ids = tree.images["subj01"][:N]
    train = ~np.isin(ids, SHARED)
    z = (values - values[train].mean(0)) / values[train].std(0, ddof=1)
    with h5py.File(root / "betas_all_subj01_fp32_renorm.hdf5", "w") as file:
        file["betas"] = z.astype(np.float32)
    with h5py.File(root / "COCO_73k_subj_indices.hdf5", "w") as file:
        file["subj01"] = ids
    np.save(root / "shared1000.npy", np.isin(np.arange(N_IMAGES), SHARED))
    prf = tree.labels["prf-visualrois"][general]
    with h5py.File(root / "brain_region_masks.hdf5", "w") as file:
        file["subj01/V1"], file["subj01/V2"] = np.isin(prf, (1, 2)), prf == 3
        file["subj01/higher_vis"] = tree.labels["floc-faces"][general] > 0
    rng = np.random.default_rng(0)
    with h5py.File(root / "coco_images_224_float16.hdf5", "w") as file:
        pixels = rng.integers(0, 256, (N_IMAGES, 3, 8, 8), dtype=np.uint8)
        file["images"] = (pixels / 255).astype(np.float16)
    texts = [[f"image {k}, {j}" for j in range(4)] + [""] for k in range(N_IMAGES)]
    np.save(root / "COCO_73k_annots_curated.npy", np.array(texts))
    return root


@pytest.fixture
def beside(files, tree):
    """The same, with NSD's masks beside them."""
    (files / "nsddata").symlink_to(tree.root / "nsddata")
    return files


@pytest.fixture
def configured(files, tmp_path):
    def make(structural=("V1",), semantic=("higher_vis",), **overrides):
        settings = {
            "data.root": str(files), "data.reader": "mindeye", "workspace": str(tmp_path / "w"),
            "data.subjects": ["subj01"], "data.base_subject": "subj01", "data.n_sessions": 2,
            "data.trials_per_session": T, "targets.captions_per_image": 4,
            "data.roles.structural": list(structural), "data.roles.semantic": list(semantic),
        }  # fmt: skip
        return load_config("smoke", settings | overrides)

    return make


def test_with_nsds_masks_the_same_subject_as_nsds_own(beside, configured, make_config):
    theirs = load_subject(make_config(**{"data.n_sessions": 2}), "subj01")
    ours = load_subject(configured(("V1v", "V1d"), ("floc-faces",)), "subj01")
    np.testing.assert_array_equal(ours.ijk, theirs.ijk)
    np.testing.assert_array_equal(ours.affine, theirs.affine)
    np.testing.assert_array_equal(ours.trials["image"], theirs.trials["image"])
    np.testing.assert_allclose(ours.train_betas, theirs.train_betas, atol=1e-4)
    np.testing.assert_allclose(ours.test_betas, theirs.test_betas, atol=1e-4)
    assert ours.zscore == "session"


def test_without_them_its_own_regions_and_no_places(configured, general, make_config):
    ours = load_subject(configured(), "subj01")
    assert ours.shape == (general.sum(), 1, 1)
    theirs = load_subject(make_config(**{"data.n_sessions": 2}), "subj01")
    columns = np.flatnonzero(general[general])[ours.ijk[:, 0]]
    places = np.argwhere(general)[columns]
    known = {tuple(x): row for row, x in enumerate(theirs.ijk.tolist())}
    rows = [known[tuple(x)] for x in places.tolist() if tuple(x) in known]
    mine = [k for k, x in enumerate(places.tolist()) if tuple(x) in known]
    assert len(rows) == len(theirs.ijk)
    np.testing.assert_allclose(ours.train_betas[:, mine], theirs.train_betas[:, rows], atol=1e-4)
    assert np.isfinite(ours.ncsnr).all()  # estimated, none is shipped


def test_the_check(configured, beside):
    findings = check_subject(configured(("V1v",), ("floc-faces",)), "subj01")
    assert not has_errors(findings), [x.text for x in findings if x.level == "ERROR"]


def test_the_check_says_what_masks_would_add(configured):
    text = " | ".join(x.text for x in check_subject(configured(), "subj01"))
    assert "places of voxels are not known: no maps" in text
    assert "z-scored over all sessions" in text


def test_pictures_and_captions(configured):
    stimuli = load_stimuli(configured())
    found = stimuli.images([5, 0, 5])
    with h5py.File(stimuli.path) as file:
        expected = np.rint(file["images"][5].astype("f4") * 255).astype("u1").transpose(1, 2, 0)
    np.testing.assert_array_equal(found[0], expected)
    np.testing.assert_array_equal(found[2], expected)
    assert stimuli.captions([7], 2) == [["image 7, 0", "image 7, 1"]]
    with pytest.raises(DataError, match="expected 5 captions of image 7, found 4"):
        stimuli.captions([7], 5)


def rewrite(path, name, values):
    with h5py.File(path, "w") as file:
        file[name] = values


FAULTS = {
    "ids of another copy": (lambda r: rewrite(r / "COCO_73k_subj_indices.hdf5", "subj01",
                                              np.arange(30)), "expected 40 ids of subj01"),
    "no ids": (lambda r: (r / "COCO_73k_subj_indices.hdf5").unlink(), "MindEye2's ids of images"),
    "no shared list": (lambda r: (r / "shared1000.npy").unlink(), "MindEye2's shared images"),
    "a shared list of another kind": (lambda r: np.save(r / "shared1000.npy", np.arange(9)),
                                      "expected bool"),
    "betas of the whole brain": (lambda r: rewrite(r / "betas_all_subj01_fp32_renorm.hdf5",
                                                   "betas", np.zeros((40, 3, 3), "f4")),
                                 r"expected betas \(trials, voxels\)"),
    "rows that make no session": (lambda r: rewrite(r / "betas_all_subj01_fp32_renorm.hdf5",
                                                    "betas", np.zeros((41, 9), "f4")),
                                  "expected sessions of 20 trials"),
    "no regions": (lambda r: (r / "brain_region_masks.hdf5").unlink(), "MindEye2's regions"),
    "regions of another subject": (lambda r: rewrite(r / "brain_region_masks.hdf5", "subj02/V1",
                                                     np.ones(9)), "expected a group 'subj01'"),
    "regions of another length": (lambda r: rewrite(r / "brain_region_masks.hdf5", "subj01/V1",
                                                    np.ones(9)), "expected .* flags|no region"),
    "no betas": (lambda r: (r / "betas_all_subj01_fp32_renorm.hdf5").unlink(), "found subjects n"),
    "an empty file": (lambda r: (r / "betas_all_subj01_fp32_renorm.hdf5").write_bytes(b""),
                      "cannot be read as HDF5"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named_by_the_check_and_the_run(files, configured, name):
    harm, said = FAULTS[name]
    harm(files)
    with pytest.raises(HavirError, match=said):
        load_subject(configured(), "subj01")
    wrong = " | ".join(x.text for x in check_subject(configured(), "subj01") if x.level == "ERROR")
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(wrong)


def test_an_nsdgeneral_of_another_subject(beside, configured, tree):
    tree.write_roi("subj01", "nsdgeneral", np.ones(GRID))
    with pytest.raises(ShapeError, match="voxels above 0, the columns of the betas"):
        load_subject(configured(("V1v",), ("floc-faces",)), "subj01")


def test_regions_and_subjects_that_there_are_not(configured):
    with pytest.raises(DataError, match="no region 'V1v'; there are V1, V2, higher_vis"):
        load_subject(configured(("V1v",)), "subj01")
    assert open_reader(configured()).subjects() == ["subj01"]
    with pytest.raises(DataError, match="Did you mean 'subj01'"):
        load_subject(configured(**{"data.subjects": ["subj02"], "data.base_subject": "subj02"}),
                     "subj02")  # fmt: skip
    with pytest.raises(DataError, match="expected 3 sessions"):
        load_subject(configured(**{"data.n_sessions": 3}), "subj01")
