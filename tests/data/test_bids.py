"""A folder of one's own: the same subject as through NSD's layout; errors name the file."""

import json
import os
import shutil

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from havir_lib import open_run
from havir_lib.config import load_config
from havir_lib.data import load_stimuli, load_subject
from havir_lib.data.check import check_subject, has_errors
from havir_lib.data.readers import open_reader
from havir_lib.errors import DataError, HavirError, ShapeError
from havir_lib.run import templates
from havir_lib.run.data import first_stimuli
from tests.data.conftest import AFFINE, LENGTHS, N_IMAGES, SHARED

NAME = "sub-P01"
SIZES = (40, 48, 64)


@pytest.fixture
def own(tree, tmp_path):
    """The tree's first subject as a lab would have it: percent, masks, pictures of any size."""
    root = tmp_path / "own"
    (root / "stimuli").mkdir(parents=True)
    (root / "dataset.json").write_text('{"unit": "percent"}')
    rng = np.random.default_rng(3)
    for image in range(N_IMAGES):
        side = SIZES[image % 3]
        picture = Image.fromarray(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
        picture.save(root / f"stimuli/image{image:02d}.jpg", quality=90)
    names = [f"image{image:02d}" for image in range(N_IMAGES)]
    captions = [(name, f"{name}, caption {k}") for name in names for k in range(5)]
    write(root / "captions.tsv", pd.DataFrame(captions, columns=["image", "caption"]))
    folder = root / NAME
    (folder / "betas").mkdir(parents=True)
    (folder / "rois").mkdir()
    images = tree.images["subj01"]
    table = pd.DataFrame({
        "session": np.repeat([1, 2, 3], LENGTHS),
        "image": [names[image] for image in images],
        "use": np.where(np.isin(images, SHARED), "test", "train"),
    })  # fmt: skip
    write(folder / f"{NAME}_trials.tsv", table)
    for session in (1, 2, 3):
        values = tree.session("subj01", session).astype(np.float32) / 300
        nib.save(nib.Nifti1Image(values, AFFINE), betas_path(root, session))
    prf, faces = tree.labels["prf-visualrois"], tree.labels["floc-faces"]
    for label, mask in {"V1v": prf == 1, "V1d": prf == 2, "faces": faces > 0}.items():
        path = folder / f"rois/{NAME}_label-{label}_mask.nii.gz"
        nib.save(nib.Nifti1Image(mask.astype(np.uint8), AFFINE), path)
    ncsnr = next(tree.root.glob("nsddata_betas/ppdata/subj01/*/*/ncsnr.nii.gz"))
    (folder / f"{NAME}_ncsnr.nii.gz").write_bytes(ncsnr.read_bytes())
    return root


def write(path, table):
    table.to_csv(path, sep="\t", index=False)


def betas_path(root, session, suffix=".nii.gz"):
    return root / f"{NAME}/betas/{NAME}_ses-{session:02d}_betas{suffix}"


def trials_path(root):
    return root / f"{NAME}/{NAME}_trials.tsv"


@pytest.fixture
def settings(own, tmp_path):
    return {
        "data.root": str(own), "data.reader": "bids", "workspace": str(tmp_path / "w"),
        "data.subjects": [NAME], "data.base_subject": NAME, "data.picture_size": 64,
        "data.roles.structural": ["V1v", "V1d"], "data.roles.semantic": ["faces"],
        "data.n_sessions": None,
    }  # fmt: skip


@pytest.fixture
def configured(settings):
    return lambda **overrides: load_config("smoke", settings | overrides)


def test_the_same_subject_as_through_nsds_layout(config, configured):
    theirs, ours = load_subject(config, "subj01"), load_subject(configured(), NAME)
    np.testing.assert_array_equal(ours.ijk, theirs.ijk)
    np.testing.assert_array_equal(ours.affine, theirs.affine)
    np.testing.assert_array_equal(ours.structural, theirs.structural)
    np.testing.assert_array_equal(ours.trials["image"], theirs.trials["image"])
    np.testing.assert_array_equal(ours.test_images, theirs.test_images)
    np.testing.assert_allclose(ours.train_betas, theirs.train_betas, atol=1e-4)
    np.testing.assert_allclose(ours.test_betas, theirs.test_betas, atol=1e-4)
    np.testing.assert_allclose(ours.ncsnr, theirs.ncsnr)
    assert ours.unit == 1
    assert set(ours.roi_counts["roi"]) == {"V1v", "V1d", "faces"}


def test_the_first_look_is_at_the_own_pictures_whatever_the_profile_simulates(settings):
    run = open_run("smoke", {**settings, "weights.small_for_photographs": True})
    assert run.config.simulation is not None
    first = run.reader.trials(NAME)["image"].unique()[:3]
    np.testing.assert_array_equal(first_stimuli(run, 3), run.stimuli.images(first))


def test_template_masks_lie_beside_the_own_ones(own, settings):
    run = open_run("smoke", {**settings, "weights.small_for_photographs": True})
    assert "there are none" in templates.why_not(run)
    folder = own / NAME / "roi_template"
    shutil.copytree(own / NAME / "rois", folder)
    path = folder / f"{NAME}_label-V1v_mask.nii.gz"
    image = nib.load(path)
    drawn = np.roll(np.asarray(image.dataobj), 1, axis=0)
    nib.save(nib.Nifti1Image(drawn, image.affine), path)
    assert not templates.why_not(run)
    subject = templates.template_subject(run, NAME)
    signal = np.asarray(nib.load(own / NAME / f"{NAME}_ncsnr.nii.gz").dataobj) > 0
    v1v = subject.ijk[subject.rois["V1v"].to_numpy()]
    np.testing.assert_array_equal(v1v, np.argwhere((drawn > 0) & signal))


def test_pictures_of_six_sizes_and_captions(configured):
    stimuli = load_stimuli(configured())
    assert stimuli.images([3, 0, 3]).shape == (3, 64, 64, 3)
    assert stimuli.captions([7], 2) == [["image07, caption 0", "image07, caption 1"]]
    assert stimuli.images([]).shape == (0, 64, 64, 3)
    with pytest.raises(DataError, match="images 0 to 59, found ids \\[60\\]"):
        stimuli.images([60])


def test_the_check_finds_it_sound(configured):
    findings = check_subject(configured(), NAME)
    assert not has_errors(findings), [x.text for x in findings if x.level == "ERROR"]
    text = " | ".join(x.text for x in findings)
    assert "3 sessions (3 .nii.gz, float32)" in text
    assert "3 regions: V1d, V1v, faces" in text


@pytest.mark.parametrize(("name", "reverse"), [("betasmd", False), ("modelmd", True)])
def test_glmsingles_hdf5_of_python_and_matlab(own, configured, tree, name, reverse):
    expected = load_subject(configured(), NAME)
    for session in (1, 2, 3):
        values = tree.session("subj01", session).astype(np.float32) / 300
        betas_path(own, session).unlink()
        with h5py.File(betas_path(own, session, ".hdf5"), "w") as file:
            file[name] = values.T if reverse else values
    found = load_subject(configured(), NAME)
    np.testing.assert_array_equal(found.betas, expected.betas)
    np.testing.assert_array_equal(found.affine, expected.affine)


def test_labels_in_one_image_with_their_names(own, configured, tree):
    expected = load_subject(configured(), NAME)
    rois = own / NAME / "rois"
    for label in ("V1v", "V1d"):
        (rois / f"{NAME}_label-{label}_mask.nii.gz").unlink()
    labels = tree.labels["prf-visualrois"].astype(np.int16)
    nib.save(nib.Nifti1Image(labels, AFFINE), rois / f"{NAME}_seg-prf_dseg.nii.gz")
    names = pd.DataFrame({"index": [0, 1, 2], "name": ["none", "V1v", "V1d"]})
    write(rois / f"{NAME}_seg-prf_dseg.tsv", names)
    np.testing.assert_array_equal(load_subject(configured(), NAME).ijk, expected.ijk)
    sets = configured(**{"data.roles.structural": ["prf"]})
    assert load_subject(sets, NAME).structural.sum() == (labels > 0).sum()


def test_without_a_noise_ceiling_it_is_estimated(own, configured):
    (own / NAME / f"{NAME}_ncsnr.nii.gz").unlink()
    subject = load_subject(configured(), NAME)
    assert np.isfinite(subject.ncsnr).all()
    assert "estimated from repeats" in " ".join(x.text for x in check_subject(configured(), NAME))


def test_a_session_may_be_missing(own, configured, caplog):
    betas_path(own, 2).unlink()
    subject = load_subject(configured(), NAME)
    assert sorted(subject.trials["session"].unique()) == [1, 3]
    assert "sessions [2] have no betas" in caplog.text


def test_images_that_are_neither(own, configured):
    table = pd.read_csv(trials_path(own), sep="\t")
    some = table["image"].isin(table.loc[table["use"] == "train", "image"].unique()[:4])
    write(trials_path(own), table.assign(use=table["use"].mask(some, "unused")))
    subject = load_subject(configured(), NAME)
    assert not np.isin(subject.train_images, subject.trials.loc[some.to_numpy(), "image"]).any()
    assert len(subject.betas) == 59


def test_betas_that_are_normalised_already_stay_as_they_are(own, configured):
    (own / "dataset.json").write_text('{"unit": 1, "normalised": "session"}')
    subject = load_subject(configured(), NAME)
    assert subject.zscore == "none"
    rows = subject.trials["is_train"].to_numpy()
    np.testing.assert_array_equal(subject.train_betas, subject.betas[rows])


def test_tables_by_session(own, configured):
    expected = load_subject(configured(), NAME)
    table = pd.read_csv(trials_path(own), sep="\t")
    trials_path(own).unlink()
    for session, rows in table.groupby("session"):
        path = own / f"{NAME}/{NAME}_ses-{session:02d}_trials.tsv"
        write(path, rows.drop(columns="session").assign(beta_index=np.arange(len(rows)))[::-1])
    found = load_subject(configured(), NAME)
    np.testing.assert_array_equal(found.trials["image"], expected.trials["image"])


def edit(root, **columns):
    table = pd.read_csv(trials_path(root), sep="\t")
    write(trials_path(root), table.assign(**columns))


def drop_trials(root):
    write(trials_path(root), pd.read_csv(trials_path(root), sep="\t").iloc[:-1])


def pickled(root):
    for session in (1, 2, 3):
        betas_path(root, session).unlink()
    betas_path(root, 1, ".npy").write_bytes(b"x")


def wide(root):
    Image.new("RGB", (60, 40)).save(root / "stimuli/image03.jpg")


FAULTS = {
    "no dataset.json": (lambda r: (r / "dataset.json").unlink(), "dataset.json: expected"),
    "unit unknown": (lambda r: (r / "dataset.json").write_text('{"unit": "x"}'), "found 'x'"),
    "not json": (lambda r: (r / "dataset.json").write_text("{"), "dataset.json: expected"),
    "no use": (lambda r: write(trials_path(r), pd.read_csv(trials_path(r), sep="\t").drop(
        columns="use")), r"\['use'\] missing"),
    "another use": (lambda r: edit(r, use="both"), "line 2: expected .* found .*'both'"),
    "session is text": (lambda r: edit(r, session="one"), "line 2: expected a whole number"),
    "an image that is not there": (lambda r: edit(r, image="nothing"), "e.g. 'nothing'"),
    "a trial too few": (drop_trials, "ses-03_betas.nii.gz: expected 18 trials.* found 19 betas"),
    "a pickle": (pickled, "ses-01_betas.npy: GLMsingle's .npy is a pickle.*h5py"),
    "no betas": (lambda r: [betas_path(r, n).unlink() for n in (1, 2, 3)], "found none of sess"),
    "a wide picture": (wide, "image03.jpg: expected a square picture, found 60x40"),
    "no captions": (lambda r: (r / "captions.tsv").unlink(), "captions.tsv: expected captions"),
    "too few captions": (lambda r: write(r / "captions.tsv", pd.DataFrame(
        {"image": ["image00"], "caption": ["x"]})), "expected 5 captions of image"),
    "no pictures": (lambda r: [x.unlink() for x in (r / "stimuli").iterdir()], "found none"),
    "no masks": (lambda r: [x.unlink() for x in (r / NAME / "rois").iterdir()], "no region 'V1v'"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named_by_the_check_and_the_run(own, configured, name):
    harm, said = FAULTS[name]
    harm(own)

    def everything():
        subject, stimuli = load_subject(configured(), NAME), load_stimuli(configured())
        shown = np.unique(subject.trials["image"])
        return stimuli.images(shown), stimuli.captions(shown, 5)

    with pytest.raises(HavirError, match=said):
        everything()
    wrong = [x.text for x in check_subject(configured(), NAME) if x.level == "ERROR"]
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(" | ".join(wrong))


def test_the_central_square_of_wide_pictures_if_asked_for(own, configured):
    wide(own)
    config = configured(**{"data.picture_crop": True})
    assert load_stimuli(config).images([3]).shape == (1, 64, 64, 3)


def test_a_session_elsewhere_is_refused(own, configured):
    image = nib.load(betas_path(own, 2))
    moved = nib.affines.from_matvec(np.eye(3), [20, 0, 0]) @ AFFINE
    nib.save(nib.Nifti1Image(np.asarray(image.dataobj), moved), betas_path(own, 2))
    with pytest.raises(ShapeError, match="ses-02_betas.nii.gz.*lies elsewhere"):
        load_subject(configured(), NAME)


def test_a_misspelt_subject(configured):
    config = configured(**{"data.subjects": ["sub-P1"], "data.base_subject": "sub-P1"})
    with pytest.raises(DataError, match="Did you mean 'sub-P01'"):
        load_subject(config, "sub-P1")


def test_the_reader_lists_its_subjects(configured):
    assert open_reader(configured()).subjects() == [NAME]
    assert json.dumps(open_reader(configured()).about)


def animated(path):
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    frames[0].save(path, format="WEBP", save_all=True, append_images=frames[1:])


ODD_PICTURES = {
    "transparent": (lambda x: Image.new("RGBA", (40, 40)).save(x, "PNG"), "an opaque picture"),
    "two frames": (animated, "expected one picture, found 2"),
    "floats": (lambda x: Image.new("F", (40, 40)).save(x, "TIFF"), "8 or 16 bits, found mode F"),
    "a pipe": (os.mkfifo, "found something else"),
    "a folder": (os.mkdir, "found something else"),
    "PostScript": (lambda x: x.write_bytes(b"%!PS-Adobe-3.0\n"), "cannot be read as an image"),
    "empty": (lambda x: x.write_bytes(b""), "cannot be read as an image"),
}


@pytest.mark.parametrize("name", ODD_PICTURES)
def test_stimuli_are_read_as_carefully_as_pictures_to_score(own, configured, name):
    make, said = ODD_PICTURES[name]
    path = own / "stimuli/image03.jpg"
    stimuli = load_stimuli(configured())
    path.unlink()
    make(path)
    with pytest.raises(DataError, match=rf"image03.jpg.*{said}"):
        stimuli.images([3])


def test_a_picture_that_was_edited_is_read_again(own, configured):
    stimuli = load_stimuli(configured())
    before = stimuli.images([3])
    Image.new("RGB", (64, 64), "white").save(own / "stimuli/image03.jpg")
    assert (stimuli.images([3]) > 250).all()
    assert not (before > 250).all()


@pytest.mark.parametrize("word", ["NA", "nan", "None", "null", "007", "1e3"])
def test_words_that_look_like_numbers_or_nothing_are_names(own, configured, word):
    expected = load_subject(configured(), NAME)
    (own / "stimuli/image03.jpg").rename(own / f"stimuli/{word}.jpg")
    files = [f"image{k:02d}.jpg" if k != 3 else f"{word}.jpg" for k in range(N_IMAGES)]
    listed = pd.DataFrame({"image": [x.removesuffix(".jpg") for x in files], "file": files})
    write(own / "stimuli.tsv", listed)
    for path in (trials_path(own), own / "captions.tsv"):
        text = (
            path.read_text().replace("image03\t", f"{word}\t").replace("\timage03\t", f"\t{word}\t")
        )
        path.write_text(text)
    found = load_subject(configured(), NAME)
    np.testing.assert_array_equal(found.trials["image"], expected.trials["image"])
    assert load_stimuli(configured()).captions([3], 1) == [["image03, caption 0"]]


def test_a_region_named_na(own, configured, tree):
    labels = tree.labels["prf-visualrois"].astype(np.int16)
    rois = own / NAME / "rois"
    nib.save(nib.Nifti1Image(labels, AFFINE), rois / f"{NAME}_seg-prf_dseg.nii.gz")
    write(rois / f"{NAME}_seg-prf_dseg.tsv", pd.DataFrame({"index": [1, 2], "name": ["NA", "x"]}))
    subject = load_subject(configured(**{"data.roles.structural": ["NA"]}), NAME)
    assert subject.structural.sum() == (labels == 1).sum()
