"""``load_subject`` from files to arrays, its cache, and what bad files lead to."""

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat, savemat
from sklearn.preprocessing import StandardScaler

from havir_lib.cache.content import Description
from havir_lib.data import load_subject
from havir_lib.data.readers import nsd
from havir_lib.errors import DataError, ShapeError, SplitError

LENGTHS = (20, 20, 19)
SHARED = [3, 11, 17, 30]


@pytest.fixture
def subject(config):
    return load_subject(config, "subj01")


def by_hand(tree, subject):
    """Z-scored betas of all trials (n_trials, V), straight from the definition."""
    images = tree.images["subj01"]
    percent = tree.betas["subj01"][tuple(subject.ijk.T)].T / 300
    sessions = np.repeat([1, 2, 3], LENGTHS)
    train = ~np.isin(images, SHARED)
    result = np.empty(percent.shape)
    for session in (1, 2, 3):
        rows = sessions == session
        result[rows] = StandardScaler().fit(percent[rows & train]).transform(percent[rows])
    return result, images, sessions, train


def test_train_and_test_betas_by_hand(tree, subject):
    z, images, sessions, train = by_hand(tree, subject)
    np.testing.assert_allclose(subject.train_betas, z[train], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(subject.train_images, images[train])
    np.testing.assert_array_equal(subject.train_sessions, sessions[train])
    assert subject.test_images.tolist() == SHARED
    for row, repeats, image in zip(subject.test_betas, subject.test_repeats, SHARED, strict=True):
        np.testing.assert_allclose(row, z[images == image].mean(axis=0), rtol=1e-3, atol=1e-5)
        assert repeats == np.sum(images == image)
    assert subject.train_betas.dtype == subject.test_betas.dtype == np.float32


def test_voxels_and_regions(tree, subject):
    prf, faces = tree.labels["prf-visualrois"], tree.labels["floc-faces"]
    index = tuple(subject.ijk.T)
    assert subject.shape == (7, 8, 9)
    assert len(np.unique(subject.ijk, axis=0)) == subject.n_voxels == 54
    np.testing.assert_array_equal(subject.structural, np.isin(prf[index], [1, 2]))
    np.testing.assert_array_equal(subject.semantic, ~subject.structural)
    np.testing.assert_array_equal(subject.rois["OFA"], faces[index] == 1)
    np.testing.assert_array_equal(subject.rois["floc-faces"], faces[index] > 0)
    np.testing.assert_allclose(subject.affine, np.diag([1.8, 1.8, 1.8, 1]), rtol=1e-6)
    path = tree.root / "nsddata_betas/ppdata/subj01/func1pt8mm/betas_fithrf_GLMdenoise_RR"
    ncsnr = nib.load(path / "ncsnr.nii.gz").get_fdata()
    np.testing.assert_allclose(subject.ncsnr, ncsnr[index], rtol=1e-6)


def test_hdf5_and_nifti_trees_give_the_same_subject(tree, config, subject):
    for session in (1, 2, 3):
        tree.write_betas("subj01", session, tree.session("subj01", session), ".nii.gz")
        tree.beta_file("subj01", session, ".hdf5").unlink()
    from_nifti = load_subject(config, "subj01")
    assert Description().of(from_nifti) == Description().of(subject)
    np.testing.assert_array_equal(from_nifti.train_betas, subject.train_betas)
    np.testing.assert_array_equal(from_nifti.test_betas, subject.test_betas)


def test_test_trials_do_not_reach_training(tree, config, subject):
    for session in (1, 2, 3):
        values = tree.session("subj01", session).copy()
        start = sum(LENGTHS[: session - 1])
        shown = tree.images["subj01"][start : start + LENGTHS[session - 1]]
        values[..., np.isin(shown, SHARED)] += 400
        tree.write_betas("subj01", session, values, ".hdf5")
    changed = load_subject(config, "subj01")
    assert not np.allclose(changed.test_betas, subject.test_betas)
    np.testing.assert_array_equal(changed.train_betas, subject.train_betas)


def test_second_load_comes_from_the_cache(config, subject, monkeypatch):
    def refuse(*args):
        raise AssertionError("read again")

    monkeypatch.setattr(nsd, "read_betas", refuse)
    again = load_subject(config, "subj01")
    assert Description().of(again) == Description().of(subject)
    np.testing.assert_array_equal(again.train_betas, subject.train_betas)
    pd.testing.assert_frame_equal(again.role_counts, subject.role_counts)


def test_changed_input_or_setting_makes_the_cache_stale(tree, make_config, subject):
    fewer = load_subject(make_config(**{"data.n_sessions": 2}), "subj01")
    assert fewer.trials["session"].max() == 2
    other = load_subject(make_config(**{"data.roles.structural": ["V2v"]}), "subj01")
    assert other.structural.sum() == 6
    labels = tree.labels["prf-visualrois"].copy()
    labels[labels == 2] = 0
    tree.write_roi("subj01", "prf-visualrois", labels)
    assert load_subject(make_config(), "subj01").structural.sum() == 24


def test_without_zscoring_betas_are_percent_signal_change(tree, make_config):
    raw = load_subject(make_config(**{"data.zscore": "none"}), "subj01")
    train = ~np.isin(tree.images["subj01"], SHARED)
    percent = tree.betas["subj01"][tuple(raw.ijk.T)].T / 300
    np.testing.assert_allclose(raw.train_betas, percent[train], rtol=1e-6)
    assert np.abs(raw.train_betas).max() <= 3.0


def test_subject_without_test_images(tree, make_config):
    stim_info = tree.root / "nsddata/experiments/nsd/nsd_stim_info_merged.csv"
    table = pd.read_csv(stim_info, index_col=0)
    table.assign(shared1000=table["nsdId"] == 59).to_csv(stim_info)
    design_file = tree.root / "nsddata/experiments/nsd/nsd_expdesign.mat"
    design = {k: v for k, v in loadmat(design_file).items() if not k.startswith("_")}
    savemat(design_file, design | {"sharedix": [[60]]})
    with pytest.raises(SplitError, match=r"No test images.*data\.n_sessions"):
        load_subject(make_config(), "subj01")


@pytest.fixture
def bad_voxels(tree):
    """Session 2 as float32 with (1, 1, 1) NaN once and (2, 2, 2) constant over training trials."""
    for session in (1, 2, 3):
        values = tree.session("subj01", session).astype(np.float32)
        if session == 2:
            values[1, 1, 1, 7] = np.nan
            shown = tree.images["subj01"][20:40]
            values[2, 2, 2, ~np.isin(shown, SHARED)] = 5
        tree.write_betas("subj01", session, values, ".hdf5")


def test_nan_voxels_name_file_and_count(bad_voxels, config):
    with pytest.raises(
        DataError,
        match=r"betas_session02\.hdf5: 1 of 54 voxels .* NaN.*\(1, 1, 1\).*data\.bad_voxels",
    ):
        load_subject(config, "subj01")


def test_constant_voxels_name_file_and_count(tree, bad_voxels, make_config):
    config = make_config(**{"data.roles.structural": ["V1d"]})  # without the NaN voxel in V1v
    with pytest.raises(DataError, match=r"betas_session02\.hdf5: 1 of 32 .*constant.*\(2, 2, 2\)"):
        load_subject(config, "subj01")


def test_bad_voxels_can_be_dropped_and_are_counted(bad_voxels, make_config):
    subject = load_subject(make_config(**{"data.bad_voxels": "drop"}), "subj01")
    assert subject.n_voxels == 52
    assert np.isfinite(subject.train_betas).all()
    assert not {(1, 1, 1), (2, 2, 2)} & set(map(tuple, subject.ijk.tolist()))
    counts = subject.role_counts.set_index(["role", "roi"])["n_voxels"]
    assert counts["dropped", "NaN or infinite"] == 1
    assert counts["dropped", "constant in a session"] == 1
    assert counts["structural", "used"] == 38
    assert subject.roi_counts.set_index("roi").loc["V1v"].tolist() == ["prf-visualrois", 24, 23]


def test_weak_voxels_are_dropped_by_training_trials_only(tree, make_config, rng):
    images = tree.images["subj01"]
    signal = rng.normal(size=(60, 7, 8, 9))[images].transpose(1, 2, 3, 0)
    values = rng.normal(size=signal.shape)
    values[1] += 4 * signal[1]  # the plane x = 1 responds to images
    test = np.isin(images, SHARED)
    values[2][..., test] += 9 * signal[2][..., test]  # x = 2 to test images only: must not count
    stored = (values * 300).astype(np.int16)
    for session, stop in zip((1, 2, 3), np.cumsum(LENGTHS), strict=True):
        tree.write_betas(
            "subj01", session, stored[..., stop - LENGTHS[session - 1] : stop], ".hdf5"
        )
    config = make_config(
        **{
            "data.roles.min_ncsnr": 1.5,
            "data.roles.semantic": ["OFA"],
            "data.roles.overlap": "structural",
        }
    )
    subject = load_subject(config, "subj01")
    assert set(subject.ijk[:, 0]) == {1}
    assert subject.n_voxels > 20  # of 28; the others fall short by chance


def test_truncated_session_is_found_before_anything_is_cached(tree, config, tmp_path):
    path = tree.beta_file("subj01", 3, ".hdf5")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"betas_session03\.hdf5"):
        load_subject(config, "subj01")
    finished = (tmp_path / "workspace/cache/subjects").glob("*/recipe.json")
    assert list(finished) == []


def test_session_on_another_grid(tree, config):
    values = tree.session("subj01", 2).transpose(2, 1, 0, 3)
    path = tree.write_betas("subj01", 2, np.ascontiguousarray(values), ".hdf5")
    with pytest.raises(
        ShapeError, match=rf"{path.name}: .*expected \(7, 8, 9\).*found \(9, 8, 7\)"
    ):
        load_subject(config, "subj01")


def test_session_of_another_type(tree, config):
    tree.write_betas("subj01", 2, tree.session("subj01", 2).astype(np.float32), ".hdf5")
    with pytest.raises(DataError, match="float32, but session 1 has int16"):
        load_subject(config, "subj01")


def test_masks_on_another_grid_than_the_betas(tree, config):
    tree.write_roi("subj01", "floc-faces", np.ones((7, 9, 8)))
    with pytest.raises(ShapeError, match=r"expected \(7, 8, 9\).*found \(7, 9, 8\)"):
        load_subject(config, "subj01")


def test_missing_ncsnr(tree, config):
    path = tree.beta_file("subj01", 1, ".hdf5").with_name("ncsnr.nii.gz")
    path.unlink()
    with pytest.raises(DataError, match=r"Noise ceiling SNR of subj01.*ncsnr\.nii\.gz"):
        load_subject(config, "subj01")
