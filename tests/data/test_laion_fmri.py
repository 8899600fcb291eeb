"""LAION-fMRI's layout: unequal sessions and repeats, three states, masks without signs."""

import io
import json

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from havir_lib.config import load_config
from havir_lib.data import load_stimuli, load_subject
from havir_lib.data.check import check_subject, has_errors
from havir_lib.errors import DataError, HavirError
from tests.data.conftest import AFFINE, LENGTHS, N_IMAGES, SHARED

NAME = "sub-01"
NAMES = [f"shared_{k:02d}.jpg" for k in range(N_IMAGES)]


def func(root, session, rest):
    folder = root / f"derivatives/glmsingle-tedana/{NAME}/ses-{session:02d}/func"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f"{NAME}_ses-{session:02d}_task-images_{rest}"


def labels(root, session):
    return func(root, session, "desc-SingletrialBetas_trials.tsv")


def encoded(side, mode="RGB", kind="PNG"):
    out = io.BytesIO()
    pixels = np.full((side, side, len(mode)), 90, np.uint8)
    Image.fromarray(pixels, mode).save(out, kind)
    return np.frombuffer(out.getvalue(), np.uint8)


@pytest.fixture
def files(tree, tmp_path):
    root, images = tmp_path / "laion", tree.images["subj01"]
    start = 0
    for session, n in zip((1, 2, 3), LENGTHS, strict=True):
        values = tree.session("subj01", session).astype(np.float32) / 300
        values[0, 0, 0] = np.nan
        name = "space-T1w_stat-effect_desc-SingletrialBetas_statmap.nii.gz"
        nib.save(nib.Nifti1Image(values, AFFINE), func(root, session, name))
        shown = [NAMES[k] for k in images[start : start + n]]
        table = pd.DataFrame({"session": f"ses-{session:02d}", "run": 1, "label": shown,
                              "beta_index": np.arange(n)})  # fmt: skip
        table[::-1].to_csv(labels(root, session), sep="\t", index=False)
        start += n
    prf, faces = tree.labels["prf-visualrois"], tree.labels["floc-faces"]
    masks = {"retinotopy/V1v": prf == 1, "retinotopy/V1d": prf == 2, "face/FFA1": faces > 0}
    for name, mask in masks.items():
        folder, _, roi = name.partition("/")
        path = root / f"derivatives/rois/{NAME}/{folder}"
        path.mkdir(parents=True, exist_ok=True)
        nib.save(nib.Nifti1Image(mask.astype("u1"), AFFINE),
                 path / f"{NAME}_space-T1w_res-1pt8_label-{roi}_mask.nii.gz")  # fmt: skip
    (root / "stimuli").mkdir()
    meta = {"image_name": NAMES, "unique_or_shared": "shared"}
    pd.DataFrame(meta).to_csv(root / "stimuli/task-images_metadata.csv", index=False)
    with h5py.File(root / "stimuli/task-images_stimuli.h5", "w") as file:
        kind = h5py.vlen_dtype(np.uint8)
        pictures = file.create_dataset("images", (N_IMAGES,), dtype=kind)
        for k in range(N_IMAGES):
            pictures[k] = encoded(40 + k % 3, "RGBA" if k % 2 else "RGB")
    rows = [(name, k, who, f"{name} {who} {k}") for name in NAMES
            for k, who in enumerate(["ai", "human", "human", "human"])]  # fmt: skip
    table = pd.DataFrame(rows, columns=["image_name", "caption_idx", "source", "caption"])
    table.to_csv(root / "stimuli/task-images_desc-captions.csv", index=False)
    seen = sorted(set(images.tolist()) - set(SHARED))
    lists = {"train_ids": [NAMES[k] for k in seen[3:]], "test_ids": [NAMES[k] for k in SHARED]}
    (root / "split.json").write_text(json.dumps({"name": "x", "variants": [lists]}))
    return root


@pytest.fixture
def configured(files, tmp_path):
    def make(**overrides):
        settings = {
            "data.root": str(files), "data.reader": "laion_fmri", "workspace": str(tmp_path / "w"),
            "data.subjects": [NAME], "data.base_subject": NAME, "data.n_sessions": None,
            "data.split": "split.json", "data.picture_size": 32, "targets.captions_per_image": 4,
            "data.roles.structural": ["V1v", "V1d"], "data.roles.semantic": ["FFA-1"],
            "data.bad_voxels": "drop",
        }  # fmt: skip
        return load_config("smoke", settings | overrides)

    return make


def test_the_same_voxels_as_nsds_layout_with_the_splits_three_states(configured, config, tree):
    ours, theirs = load_subject(configured(), NAME), load_subject(config, "subj01")
    np.testing.assert_array_equal(ours.ijk, theirs.ijk)
    np.testing.assert_allclose(ours.betas, theirs.betas / 300, atol=1e-5)
    np.testing.assert_array_equal(ours.trials["image"], tree.images["subj01"])
    assert set(ours.test_images) == set(SHARED)
    unused = sorted(set(tree.images["subj01"].tolist()) - set(SHARED))[:3]
    used = ours.trials["use"]
    assert set(ours.trials.loc[used == "unused", "image"]) == set(unused)
    assert not np.isin(ours.train_images, unused).any()


def test_pictures_on_grey_and_captions_of_people_first(configured):
    stimuli = load_stimuli(configured())
    assert stimuli.images([3, 0]).shape == (2, 32, 32, 3)
    clear, solid = stimuli.images([1, 0])
    assert (solid == 90).all()
    assert abs(int(clear[0, 0, 0]) - (90 * 90 + 128 * 165) / 255) < 2
    assert stimuli.captions([2], 4)[0] == [f"{NAMES[2]} human {k}" for k in (1, 2, 3)] + [
        f"{NAMES[2]} ai 0"]  # fmt: skip
    with pytest.raises(DataError, match="captions_per_image to 4 or less"):
        stimuli.captions([2], 5)


@pytest.mark.parametrize("scale", [1, 100])
def test_ceilings_in_percent_or_as_a_share(configured, files, scale, tree):
    share = np.zeros(tree.labels["floc-faces"].shape, np.float32)
    share[:] = 0.5
    share[0, 0, 0] = 0.9
    path = files / f"derivatives/glmsingle-tedana/{NAME}" / (
        f"{NAME}_task-images_space-T1w_desc-Noiseceiling4rep_statmap.nii.gz")  # fmt: skip
    nib.save(nib.Nifti1Image(share * scale, AFFINE), path)
    subject = load_subject(configured(), NAME)
    np.testing.assert_allclose(subject.ncsnr, np.sqrt(0.25), rtol=1e-5)  # 50 % at 4 repeats


def test_the_check_finds_it_sound(configured):
    findings = check_subject(configured(), NAME)
    assert not has_errors(findings), [x.text for x in findings if x.level == "ERROR"]
    text = " | ".join(x.text for x in findings)
    assert "3 regions: FFA1, V1d, V1v" in text
    assert "3 unused" in text


def edit(path, change):
    change(pd.read_csv(path, sep="\t")).to_csv(path, sep="\t", index=False)


FAULTS = {
    "no split": (lambda r: (r / "split.json").unlink(), "Split .data.split."),
    "a split of another kind": (lambda r: (r / "split.json").write_text("[]"), "train_ids"),
    "an image in both": (lambda r: (r / "split.json").write_text(
        '{"train_ids": ["a"], "test_ids": ["a"]}'), "in both lists, e.g. 'a'"),
    "a label too few": (lambda r: edit(labels(r, 2), lambda x: x[x["beta_index"] < 19]),
                        "expected 19 betas"),
    "indices with a gap": (lambda r: edit(labels(r, 2), lambda x: x.assign(
        beta_index=x["beta_index"] * 2)), "beta_index to be 0 to 19"),
    "no labels": (lambda r: labels(r, 1).unlink(), "Labels of trials"),
    "a label that is no picture": (lambda r: edit(labels(r, 1), lambda x: x.assign(label="z")),
                                   "missing, e.g. 'z'"),
    "no masks": (lambda r: [x.unlink() for x in r.glob("derivatives/rois/*/*/*")], "no region"),
    "no metadata": (lambda r: (r / "stimuli/task-images_metadata.csv").unlink(), "Metadata of"),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named_by_the_check_and_the_run(files, configured, name):
    harm, said = FAULTS[name]
    harm(files)
    with pytest.raises(HavirError, match=said):
        load_subject(configured(), NAME)
    wrong = " | ".join(x.text for x in check_subject(configured(), NAME) if x.level == "ERROR")
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(wrong)


def test_without_a_split_it_says_which(configured):
    with pytest.raises(DataError, match="data.split: expected a split"):
        load_subject(configured(**{"data.split": None}), NAME)
