"""What third-party NSD code relies on, read the way that such code reads it.

Nothing here uses our own readers: only h5py, nibabel, pandas and scipy, as in published NSD code.
"""

import json

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat

from havir_lib.simulation.describe import NOT_WRITTEN

SUBJECTS = (2, 5)
SHAPES = {2: (22, 19, 17), 5: (21, 18, 18)}
N_TRIALS, N_IMAGES, N_SHARED = 72, 24, 5
BETAS = "nsddata_betas/ppdata/subj{:02d}/func1pt8mm/betas_fithrf_GLMdenoise_RR"


@pytest.fixture
def design(tiny_tree):
    return loadmat(tiny_tree / "nsddata/experiments/nsd/nsd_expdesign.mat")


@pytest.fixture
def stim_info(tiny_tree):
    return pd.read_csv(tiny_tree / "nsddata/experiments/nsd/nsd_stim_info_merged.csv", index_col=0)


def responses(tree, subject):
    return pd.read_csv(tree / f"nsddata/ppdata/subj{subject:02d}/behav/responses.tsv", sep="\t")


def roi(tree, subject, name, folder="roi"):
    path = tree / f"nsddata/ppdata/subj{subject:02d}/func1pt8mm/{folder}/{name}.nii.gz"
    return nib.load(path).get_fdata()


def labels(tree, name, owner="fsaverage"):
    # as nsd_access reads it: number, blank, name; no header
    path = tree / f"nsddata/freesurfer/{owner}/label/{name}.mgz.ctab"
    table = pd.read_csv(path, delimiter=" ", header=None, index_col=0)
    return {name: number for number, name in table.to_dict()[1].items()}


def test_masterordering_is_1_based_and_shows_every_image_three_times(design):
    order = design["masterordering"]
    assert order.shape == (1, N_TRIALS)
    numbers, counts = np.unique(order, return_counts=True)
    np.testing.assert_array_equal(numbers, np.arange(1, N_IMAGES + 1))
    assert set(counts) == {3}
    assert (order[0][1:] < order[0][:-1]).any()  # shuffled


def test_subjectim_has_the_eight_rows_of_nsd_and_shares_its_first_columns(design):
    images = design["subjectim"]
    assert images.shape == (8, N_IMAGES)
    np.testing.assert_array_equal(images[1, :N_SHARED], design["sharedix"][0])
    np.testing.assert_array_equal(images[4, :N_SHARED], design["sharedix"][0])
    assert not set(images[1, N_SHARED:]) & set(images[4, N_SHARED:])
    assert images[[1, 4]].min() == 1  # 1-based ...
    assert images.max() == N_SHARED + 2 * (N_IMAGES - N_SHARED)  # ... up to the number of images
    assert not images[[0, 2, 3, 5, 6, 7]].any()


def test_first_masterordering_ids_are_the_shared_images(design, stim_info):
    shared = stim_info["shared1000"].to_numpy()
    assert shared.sum() == N_SHARED
    order = design["masterordering"][0]
    for subject in SUBJECTS:
        nsd_id = design["subjectim"][subject - 1, order - 1] - 1
        np.testing.assert_array_equal(shared[nsd_id], order <= N_SHARED)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_responses_hold_1_based_ids_of_the_design(tiny_tree, design, subject):
    table = responses(tiny_tree, subject)
    order = design["masterordering"][0]
    nsd_id = design["subjectim"][subject - 1, order - 1] - 1
    np.testing.assert_array_equal(table["73KID"] - 1, nsd_id)
    np.testing.assert_array_equal(table["10KID"], order)
    assert (table["SUBJECT"] == subject).all()
    np.testing.assert_array_equal(table["SESSION"], np.repeat([1, 2], 36))
    assert table["RUN"].min() == 1
    assert table["RUN"].max() == 12
    assert table.groupby(["SESSION", "RUN"])["TRIAL"].min().eq(1).all()
    first = ~table["73KID"].duplicated()
    np.testing.assert_array_equal(table["ISOLD"] == 0, first)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_repetition_columns_hold_1_based_trials(tiny_tree, stim_info, subject):
    trials = responses(tiny_tree, subject)["73KID"].to_numpy() - 1
    columns = [f"subject{subject}_rep{r}" for r in range(3)]
    seen = stim_info[stim_info[f"subject{subject}"] == 1]
    assert len(seen) == N_IMAGES
    for nsd_id, row in seen[columns].iterrows():
        np.testing.assert_array_equal(row, np.flatnonzero(trials == nsd_id) + 1)
    unseen = stim_info[stim_info[f"subject{subject}"] == 0]
    assert (unseen[columns] == 0).all(axis=None)


def test_stimulus_table_has_nsd_columns_and_0_based_ids(stim_info):
    np.testing.assert_array_equal(stim_info["nsdId"], np.arange(len(stim_info)))
    expected = ["cocoId", "cocoSplit", "cropBox", "loss", "nsdId", "flagged", "BOLD5000"]
    expected += ["shared1000", *(f"subject{s}" for s in range(1, 9))]
    expected += [f"subject{s}_rep{r}" for s in range(1, 9) for r in range(3)]
    assert list(stim_info.columns) == expected
    assert stim_info["shared1000"].dtype == bool
    assert stim_info["cocoId"].is_unique
    absent = [f"subject{s}" for s in (1, 3, 4, 6, 7, 8)]
    assert not stim_info[absent].any(axis=None)


def test_pictures_are_uint8_rows_by_columns_by_rgb_in_nsd_id_order(tiny_tree, stim_info):
    from havir_lib.simulation.scenes import make_scene, render

    info = pd.read_csv(tiny_tree / "nsddata/experiments/nsd/scene_info.csv")
    with h5py.File(tiny_tree / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5", "r") as file:
        brick = file["imgBrick"]
        assert brick.shape == (len(stim_info), 64, 64, 3)
        assert brick.dtype == np.uint8
        assert brick.chunks == (1, 64, 64, 3)
        for nsd_id in (0, 17, len(stim_info) - 1):
            scene = make_scene(int(info["scene_seed"][nsd_id]))
            np.testing.assert_array_equal(brick[nsd_id], render(scene.svg, 64))


def test_every_image_has_five_coco_captions_of_its_scene(tiny_tree, stim_info):
    from havir_lib.simulation.scenes import make_scene

    info = pd.read_csv(tiny_tree / "nsddata/experiments/nsd/scene_info.csv")
    found = 0
    for split in ("train2017", "val2017"):
        path = tiny_tree / f"nsddata_stimuli/stimuli/nsd/annotations/captions_{split}.json"
        notes = pd.DataFrame(json.loads(path.read_text())["annotations"])
        for nsd_id, coco in stim_info[stim_info["cocoSplit"] == split]["cocoId"].items():
            scene = make_scene(int(info["scene_seed"][nsd_id]))
            assert tuple(notes[notes["image_id"] == coco]["caption"]) == scene.captions
            assert len(scene.captions) == 5
            found += 1
    assert found == len(stim_info)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_betas_are_int16_with_one_chunk_per_voxel(tiny_tree, subject):
    path = tiny_tree / BETAS.format(subject) / "betas_session02.hdf5"
    with h5py.File(path, "r") as file:
        betas = file["betas"]
        assert betas.shape == (36, *SHAPES[subject][::-1])  # Python sees (trials, Z, Y, X)
        assert betas.dtype == np.int16
        assert betas.chunks == (36, 1, 1, 1)
        general = roi(tiny_tree, subject, "nsdgeneral") > 0
        assert betas.id.get_num_chunks() >= general.sum()
        assert betas.id.get_num_chunks() < general.size / 2  # only where there are data
        # int16 / 300 is % signal change: visual voxels vary by about a percent or two
        spread = (betas[:] / 300).std(axis=0).T[general]
    assert 0.5 < np.median(spread) < 4
    assert spread.min() > 0


def test_nifti_and_hdf5_hold_the_same_voxels(tiny_config, tiny_tree, tmp_path):
    from havir_lib.simulation.tree import write_tree

    simulation = tiny_config.simulation.model_copy(update={"betas_format": "nii.gz"})
    data = tiny_config.data.model_copy(update={"subjects": ["subj05"], "base_subject": "subj05"})
    only = tiny_config.model_copy(update={"simulation": simulation, "data": data})
    write_tree(only, tmp_path)
    image = nib.load(tmp_path / BETAS.format(5) / "betas_session01.nii.gz")
    assert image.shape == (*SHAPES[5], 36)  # nibabel sees (X, Y, Z, trials)
    assert image.get_data_dtype() == np.int16
    assert np.isnan(image.dataobj.slope) or image.dataobj.slope == 1  # integers as they are
    general = roi(tmp_path, 5, "nsdgeneral") > 0
    from_nifti = np.asarray(image.dataobj)[general]
    np.testing.assert_array_equal(general, roi(tiny_tree, 5, "nsdgeneral") > 0)
    assert from_nifti.std(axis=1).min() > 0
    affine = nib.load(tmp_path / "nsddata/ppdata/subj05/func1pt8mm/brainmask.nii.gz").affine
    np.testing.assert_array_equal(image.affine, affine)


@pytest.mark.parametrize("owner", ["fsaverage", "subj02", "subj05"])
def test_label_tables_hold_nsd_numbers(tiny_tree, owner):
    areas = ["Unknown", "V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4"]
    assert labels(tiny_tree, "prf-visualrois", owner) == {n: k for k, n in enumerate(areas)}
    faces = ["Unknown", "OFA", "FFA-1", "FFA-2", "mTL-faces", "aTL-faces"]
    assert labels(tiny_tree, "floc-faces", owner) == {n: k for k, n in enumerate(faces)}
    bodies = ["Unknown", "EBA", "FBA-1", "FBA-2", "mTL-bodies"]
    assert labels(tiny_tree, "floc-bodies", owner) == {n: k for k, n in enumerate(bodies)}
    places = ["Unknown", "OPA", "PPA", "RSC"]
    assert labels(tiny_tree, "floc-places", owner) == {n: k for k, n in enumerate(places)}
    words = ["Unknown", "OWFA", "VWFA-1", "VWFA-2", "mfs-words", "mTL-words"]
    assert labels(tiny_tree, "floc-words", owner) == {n: k for k, n in enumerate(words)}
    streams = ["Unknown", "early", "midventral", "midlateral", "midparietal"]
    streams += ["ventral", "lateral", "parietal"]
    assert labels(tiny_tree, "streams", owner) == {n: k for k, n in enumerate(streams)}


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("name", ["prf-visualrois", "floc-faces", "floc-words", "nsdgeneral"])
def test_masks_mark_no_cortex_unlabelled_cortex_and_labels(tiny_tree, subject, name):
    for folder in ("roi", "roi_template"):
        volume = roi(tiny_tree, subject, name, folder)
        assert volume.shape == SHAPES[subject]
        known = {-1, 0, *range(1, max(labels(tiny_tree, name).values()) + 1)}
        if name == "nsdgeneral":
            known = {-1, 0, 1}
        assert set(np.unique(volume)) <= known
        assert {-1, 0, 1} <= set(np.unique(volume))


def test_localiser_sets_overlap_as_in_nsd(tiny_tree):
    faces, bodies = (roi(tiny_tree, 2, f"floc-{name}") > 0 for name in ("faces", "bodies"))
    assert 0 < (faces & bodies).sum() < min(faces.sum(), bodies.sum())


def test_masked_voxels_agree_after_transposing_the_mask(tiny_tree):
    """The trap of the format: a mask from nibabel must be transposed before it meets the HDF5."""
    truth = np.load(tiny_tree / "truth/subj05.npz")
    with h5py.File(tiny_tree / BETAS.format(5) / "betas_session01.hdf5", "r") as file:
        betas = file["betas"][:]
    with_data = betas.any(axis=0)
    expected = np.zeros(SHAPES[5], bool)
    expected[tuple(truth["ijk"].T)] = True
    np.testing.assert_array_equal(with_data, expected.T)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_ncsnr_lies_on_the_grid_of_the_betas(tiny_tree, subject):
    ncsnr = nib.load(tiny_tree / BETAS.format(subject) / "ncsnr.nii.gz").get_fdata()
    assert ncsnr.shape == SHAPES[subject]
    early = roi(tiny_tree, subject, "prf-visualrois") > 0
    assert ncsnr[early].mean() > 0.2
    assert (ncsnr[roi(tiny_tree, subject, "nsdgeneral") < 0] == 0).mean() > 0.9


@pytest.mark.parametrize("subject", SUBJECTS)
def test_transforms_are_lookups_from_1_in_nsd_s_files(tiny_tree, subject):
    folder = tiny_tree / f"nsddata/ppdata/subj{subject:02d}/transforms"
    mni = nib.load(folder / "func1pt8-to-MNI.nii.gz").get_fdata()
    assert mni.shape == (182, 218, 182, 3)
    valid = mni[mni[..., 0] != 9999]
    assert valid.min() >= 1
    assert (valid.max(axis=0) <= SHAPES[subject]).all()
    for hemisphere in ("lh", "rh"):
        for depth in ("layerB1", "layerB2", "layerB3"):
            layer = nib.load(folder / f"{hemisphere}.func1pt8-to-{depth}.mgz").get_fdata()
            assert layer.shape == (10242, 1, 1, 3)
        numbers = nib.load(folder / f"{hemisphere}.white-to-fsaverage.mgz").get_fdata()
        np.testing.assert_array_equal(numbers.ravel(), np.arange(1, 10243))


def test_arrays_of_the_design_index_as_loaded(design):
    """MATLAB's files of whole numbers load as integers; scripts index with them as they are."""
    for name in ("masterordering", "subjectim", "sharedix", "basiccnt", "stimpattern"):
        assert np.issubdtype(design[name].dtype, np.integer), name
    order = design["masterordering"].flatten() - 1
    assert design["subjectim"][:, order].shape == (8, N_TRIALS)
    assert np.zeros(N_IMAGES)[order].shape == (N_TRIALS,)


@pytest.mark.parametrize("subject", SUBJECTS)
def test_brain_and_regions_keep_off_the_edge(tiny_tree, subject):
    folder = tiny_tree / f"nsddata/ppdata/subj{subject:02d}/func1pt8mm"
    brain = nib.load(folder / "brainmask.nii.gz").get_fdata() > 0
    for path in [*folder.glob("roi/*.nii.gz"), *folder.glob("roi_template/*.nii.gz")]:
        assert not outermost(nib.load(path).get_fdata() > 0).any(), path
    assert not outermost(brain).any()
    assert brain.mean() > 0.2


def outermost(volume):
    inner = np.zeros(volume.shape, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    return volume[~inner]


@pytest.mark.parametrize("subject", SUBJECTS)
def test_hemispheres_make_up_the_whole(tiny_tree, subject):
    for name in ("prf-visualrois", "floc-faces"):
        left, right = (roi(tiny_tree, subject, f"{side}.{name}") for side in ("lh", "rh"))
        whole = roi(tiny_tree, subject, name)
        np.testing.assert_array_equal(np.maximum(left, right), whole)
        assert ((left > 0) & (right > 0)).sum() == 0
        x = np.argwhere(left > 0)[:, 0].mean(), np.argwhere(right > 0)[:, 0].mean()
        assert x[0] < x[1]  # RAS+


def test_what_is_said_to_be_missing_is_missing_and_nothing_else_is_said(tiny_tree):
    text = (tiny_tree / "SIMULATED.md").read_text()
    for pattern in NOT_WRITTEN:
        assert not list(tiny_tree.glob(pattern)), pattern
        assert pattern in text


def test_a_script_that_averages_repeats_like_brain_diffusers(tiny_tree, design, stim_info):
    """Order of a subject's images from the design, betas of its general mask, mean of repeats."""
    subject = 2
    order = design["masterordering"].flatten() - 1
    shown = design["subjectim"][subject - 1, order] - 1  # 0-based ids of NSD
    folder = tiny_tree / BETAS.format(subject)
    mask = roi(tiny_tree, subject, "nsdgeneral") > 0
    trials = [
        np.array(h5py.File(path)["betas"]).T[mask].T / 300
        for path in sorted(folder.glob("betas_session*.hdf5"))
    ]
    betas = np.concatenate(trials)
    assert betas.shape == (N_TRIALS, mask.sum())
    shared = stim_info.index[stim_info["shared1000"]]
    means = np.stack([betas[shown == image].mean(axis=0) for image in shared])
    assert np.isfinite(means).all()
    one, two = (np.stack([betas[shown == image][n] for image in shared]).std() for n in (0, 1))
    assert means.std() < min(one, two)  # noise averages out


def test_a_script_that_looks_captions_up_like_nsd_access(tiny_tree, stim_info):
    for nsd_id in (0, 1, 5):
        row = stim_info.loc[nsd_id]
        path = tiny_tree / "nsddata_stimuli/stimuli/nsd/annotations"
        with open(path / f"captions_{row['cocoSplit']}.json") as file:
            annotations = json.load(file)["annotations"]
        texts = [item["caption"] for item in annotations if item["image_id"] == row["cocoId"]]
        assert len(texts) == 5


def test_a_script_that_reads_nifti_betas_like_nsd_access(nifti_tree):
    """Its users have only NIfTI: (X, Y, Z, trials), percent signal change times 300."""
    path = nifti_tree / BETAS.format(2) / "betas_session01.nii.gz"
    image = nib.load(path)
    mask = roi(nifti_tree, 2, "nsdgeneral") > 0
    betas = image.get_fdata()
    assert betas.shape == (*SHAPES[2], N_TRIALS // 2)
    assert betas[mask].std(axis=-1).min() > 0
    assert not list(path.parent.glob("*.hdf5"))
