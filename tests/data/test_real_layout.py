"""NSD's own session, trial and image numbers, on grids of a few voxels.

The order of presentation below is not NSD's but has its structure and its published totals
(`TOTALS`; NSD data manual, "Technical notes", and the split that MindEye uses): how many images,
and how many of the shared ones, are seen by the end of sessions 30, 32, 37 and 40.
"""

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.io import savemat

from havir_lib.cache.content import Description
from havir_lib.config import load_config
from havir_lib.data import load_subject
from havir_lib.data.layout import NsdLayout
from havir_lib.data.split import split_trials
from havir_lib.data.trials import load_trials
from havir_lib.errors import DataError

TRIALS = 750
TOTALS = {30: (9209, 907), 32: (9411, 930), 37: (9841, 982), 40: (10_000, 1000)}
"""Sessions → (images seen at least once, shared ones among them)."""
TEST_TRIALS_37 = 2770
SESSIONS = {"subj01": 40, "subj03": 32, "subj04": 30}
GRID = (5, 3, 4)
LABELS = {
    "prf-visualrois": ["V1v", "V1d", "V2v", "V2d", "V3v", "V3d", "hV4"],
    "floc-faces": ["OFA", "FFA-1", "FFA-2", "mTL-faces", "aTL-faces"],
    "floc-words": ["OWFA", "VWFA-1", "VWFA-2", "mfs-words", "mTL-words"],
    "floc-places": ["OPA", "PPA", "RSC"],
    "floc-bodies": ["EBA", "FBA-1", "FBA-2", "mTL-bodies"],
    "streams": [
        *("early", "midventral", "midlateral", "midparietal"),
        *("ventral", "lateral", "parietal"),
    ],
}
PAPER_ROLES = {
    "data.roles.structural": LABELS["prf-visualrois"],
    "data.roles.semantic": ["floc-faces", "floc-bodies", "floc-places", "floc-words"],
}


def presentation_order(rng):
    """10,000 images (1-based, shared first) three times each, in 40 sessions with NSD's totals."""
    ends = np.array(list(TOTALS)) * TRIALS
    n_shared = np.diff([0, *(shared for _, shared in TOTALS.values())])
    n_own = np.diff([0, *(seen - shared for seen, shared in TOTALS.values())])
    own = 1001 + rng.permutation(9000)
    first = [  # images first seen in each block of sessions
        np.concatenate([a, b])
        for a, b in zip(
            np.split(1 + rng.permutation(1000), np.cumsum(n_shared)[:-1]),
            np.split(own, np.cumsum(n_own)[:-1]),
            strict=True,
        )
    ]
    again = [np.repeat(images, 2) for images in first]  # their second and third presentations
    blocks = [list(images) for images in first]
    lengths = np.diff([0, *ends])
    for block in (3, 2, 1, 0):
        blocks[block] += again[block].tolist()  # those not yet moved to a later block
        missing = lengths[block] - len(blocks[block])
        earlier = np.concatenate([np.empty(0, int), *again[:block]])
        if block == 3:  # so many of the shared ones that the first 37 sessions have NSD's number
            n = 3000 - TEST_TRIALS_37 - sum(image <= 1000 for image in blocks[3])
            is_shared = earlier <= 1000
            chosen = np.concatenate(
                [
                    rng.choice(np.flatnonzero(is_shared), n, replace=False),
                    rng.choice(np.flatnonzero(~is_shared), missing - n, replace=False),
                ]
            )
        else:
            chosen = rng.choice(len(earlier), missing, replace=False) if block else []
        blocks[block] += earlier[chosen].tolist() if len(chosen) else []
        left = np.delete(earlier, chosen)
        sizes = np.cumsum([np.isin(left, first[b]).sum() for b in range(block)])
        again[:block] = [left[np.isin(left, first[b])] for b in range(len(sizes))]
    return np.concatenate([rng.permutation(block) for block in blocks])


@pytest.fixture(scope="module")
def order():
    return presentation_order(np.random.default_rng(37))


@pytest.fixture(scope="module")
def layout(tmp_path_factory, order):
    """NSD's experiment files at full size: 73,000 images, 8 subjects, 30,000 trials."""
    layout = NsdLayout(tmp_path_factory.mktemp("nsd"))
    rng = np.random.default_rng(8)
    shared = np.sort(rng.choice(73_000, 1000, replace=False))
    others = rng.permutation(np.setdiff1d(np.arange(73_000), shared)).reshape(8, 9000)
    lists = np.hstack([np.tile(shared, (8, 1)), others]) + 1
    layout.stim_info.parent.mkdir(parents=True)
    savemat(
        layout.experiment_design,
        {"masterordering": order[None], "subjectim": lists, "sharedix": shared[None] + 1},
    )
    table = pd.DataFrame({"cocoId": np.arange(73_000) * 7, "nsdId": np.arange(73_000)})
    table.assign(shared1000=table["nsdId"].isin(shared)).to_csv(layout.stim_info)
    return layout


def test_the_order_has_nsd_s_structure(order):
    assert (np.bincount(order)[1:] == 3).all()
    for sessions, (seen, shared) in TOTALS.items():
        images = np.unique(order[: sessions * TRIALS])
        assert (len(images), (images <= 1000).sum()) == (seen, shared)


@pytest.mark.parametrize(
    ("subject", "sessions", "n_test", "n_train"),
    [("subj01", 37, 982, 8859), ("subj02", 40, 1000, 9000), ("subj03", 32, 930, 8481),
     ("subj04", 30, 907, 8302)],
)  # fmt: skip
def test_published_splits(layout, subject, sessions, n_test, n_train):
    lengths = dict.fromkeys(range(1, sessions + 1), TRIALS)
    trials = split_trials(load_trials(layout, subject, lengths))
    images = trials.groupby("is_test")["image"].nunique()
    assert (images[True], images[False]) == (n_test, n_train)
    assert len(trials) == sessions * TRIALS
    if sessions == 37:
        assert trials["is_test"].sum() == TEST_TRIALS_37
        assert (~trials["is_test"]).sum() == 24_980


@pytest.fixture(scope="module")
def root(layout):
    """Betas and masks of three subjects on top: every session NSD has, HDF5 and NIfTI."""
    rng = np.random.default_rng(5)
    for subject, n_sessions in SESSIONS.items():
        write_masks(layout, subject, rng)
        folder = layout.betas_folder(subject)
        folder.mkdir(parents=True)
        affine = np.diag([1.8, 1.8, 1.8, 1])
        nib.save(nib.Nifti1Image(rng.random(GRID, np.float32), affine), layout.ncsnr(subject))
        for session in range(1, n_sessions + 1):
            values = rng.integers(-3000, 3000, (*GRID, TRIALS)).astype(np.int16)
            stem = f"betas_session{session:02d}"
            if subject == "subj04":  # NIfTI first, HDF5 in the test that compares
                nib.save(nib.Nifti1Image(values, affine), folder / f"{stem}.nii.gz")
            else:
                write_hdf5(folder / f"{stem}.hdf5", values)
    return layout.root


def write_hdf5(path, values):
    with h5py.File(path, "w") as file:
        file.create_dataset("betas", data=values.transpose(3, 2, 1, 0), chunks=(TRIALS, 1, 1, 1))


def write_masks(layout, subject, rng):
    layout.roi_directory(subject).mkdir(parents=True)
    for roi_set, names in LABELS.items():
        labels = rng.integers(-1, len(names) + 1, GRID).astype(np.int16)
        labels.flat[: len(names)] = np.arange(1, len(names) + 1)  # none is empty
        nib.save(nib.Nifti1Image(labels, np.diag([1.8, 1.8, 1.8, 1])), layout.roi(subject, roi_set))
        folder = layout.label_directories(subject)[1]
        folder.mkdir(parents=True, exist_ok=True)
        lines = ["0 Unknown", *(f"{n} {name}" for n, name in enumerate(names, start=1))]
        (folder / f"{roi_set}.mgz.ctab").write_text("\n".join(lines) + "\n")


@pytest.fixture
def configured(root, tmp_path):
    def make(**overrides):
        settings = {"data.root": str(root), "workspace": str(tmp_path), **PAPER_ROLES}
        names = {"data.subjects": list(SESSIONS), "data.base_subject": "subj01"}
        names["data.check_order"] = "warn"  # these betas are random, and say so
        return load_config("paper", settings | names | overrides)

    return make


def test_37_sessions_have_unequal_repeats(configured):
    subject = load_subject(configured(**{"data.n_sessions": 37}), "subj01")
    assert (len(subject.test_images), len(np.unique(subject.train_images))) == (982, 8859)
    assert subject.test_repeats.sum() == TEST_TRIALS_37
    assert set(subject.test_repeats) == {1, 2, 3}
    assert subject.test_repeats.mean() == pytest.approx(2.82, abs=0.005)
    assert len(subject.train_betas) == 24_980
    z = subject.train_betas.astype(float)
    for session in (1, 37):
        rows = z[subject.train_sessions == session]
        np.testing.assert_allclose(rows.mean(0), 0, atol=1e-5)
        np.testing.assert_allclose(rows.std(0), 1, rtol=1e-4)


def test_all_sessions_have_three_repeats(configured):
    subject = load_subject(configured(**{"data.n_sessions": None}), "subj01")
    assert (len(subject.test_images), len(np.unique(subject.train_images))) == (1000, 9000)
    assert set(subject.test_repeats) == {3}
    assert len(subject.train_betas) == 27_000


def test_subjects_with_fewer_sessions(configured):
    with pytest.raises(DataError, match=r"session 33 of 37.*data\.n_sessions"):
        load_subject(configured(**{"data.n_sessions": 37}), "subj03")
    config = configured(**{"data.n_sessions": {"subj01": 37, "subj03": 29}})
    assert load_subject(config, "subj03").trials["session"].nunique() == 29
    assert load_subject(config, "subj04").trials["session"].nunique() == 30  # all there are
    one_hour = load_subject(config, "subj03").hours(1)
    assert set(one_hour.train_sessions) == {1}
    assert len(one_hour.test_images) > 900


def test_hdf5_and_nifti_give_the_same_voxels_in_the_same_order(configured, layout):
    config = configured(**{"data.n_sessions": 2})
    from_nifti = load_subject(config, "subj04")
    for session in (1, 2):
        file = layout.betas("subj04", session)
        assert file.name.endswith(".nii.gz")
        values = np.asarray(nib.load(file).dataobj)
        write_hdf5(file.with_name(f"betas_session{session:02d}.hdf5"), values)
    from_hdf5 = load_subject(config, "subj04")
    assert layout.betas("subj04", 1).suffix == ".hdf5"
    np.testing.assert_array_equal(from_hdf5.ijk, from_nifti.ijk)
    np.testing.assert_array_equal(from_hdf5.betas, from_nifti.betas)
    np.testing.assert_array_equal(from_hdf5.test_betas, from_nifti.test_betas)
    assert Description().of(from_hdf5) == Description().of(from_nifti)


def test_the_papers_roles_and_the_streams(configured, layout):
    config = configured(**{"data.n_sessions": 2})
    subject = load_subject(config, "subj01")
    sets = {
        name: np.asarray(nib.load(layout.roi("subj01", name)).dataobj)[tuple(subject.ijk.T)]
        for name in LABELS
    }
    early = sets["prf-visualrois"] > 0
    floc = np.any([sets[name] > 0 for name in LABELS if name.startswith("floc")], axis=0)
    np.testing.assert_array_equal(subject.structural, early)  # who keeps the overlap: structural
    np.testing.assert_array_equal(subject.semantic, floc & ~early)
    np.testing.assert_array_equal(subject.rois["FFA-1"], sets["floc-faces"] == 2)
    streams = {
        "data.roles.structural": ["early"],
        "data.roles.semantic": ["ventral", "lateral", "parietal"],
    }
    other = load_subject(configured(**{"data.n_sessions": 2}, **streams), "subj01")
    labels = np.asarray(nib.load(layout.roi("subj01", "streams")).dataobj)
    assert other.structural.sum() == (labels == 1).sum()
    assert other.semantic.sum() == np.isin(labels, [5, 6, 7]).sum()
