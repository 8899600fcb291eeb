"""Inputs that are wrong in some way: read right, or refused by a sentence that names the file.

Every mutation goes through what a run does (`load_subject`, pictures, captions) and through the
check that a user can make before; both must agree.
"""

import gzip
import json
import re

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import pytest
from scipy.io import loadmat, savemat

from havir_lib.config import load_config
from havir_lib.data import load_stimuli, load_subject
from havir_lib.data.check import check_subject, has_errors
from havir_lib.data.layout import layout_of
from havir_lib.errors import HavirError
from tests.data.conftest import AFFINE, BETAS, GRID, LENGTHS, SHARED

MUTATIONS = {}
RIGHT = ""
"""Nothing is refused, and voxels, values, pictures and captions are those of the whole tree."""


def mutation(expected, *arguments):
    """Register a function that changes files of the tree, with what is then said."""

    def register(change):
        for given in arguments or ((),):
            given = given if isinstance(given, tuple) else (given,)
            name = " ".join([change.__name__.replace("_", " "), *map(str, given)])
            MUTATIONS[name.strip()] = (lambda tree, x=given: change(tree, *x), expected)
        return change

    return register


def roi(tree, name="floc-faces"):
    return tree.root / f"nsddata/ppdata/subj01/func1pt8mm/roi/{name}.nii.gz"


def save_mask(tree, values, affine=AFFINE, name="floc-faces"):
    nib.save(nib.Nifti1Image(values, affine), roi(tree, name))


def faces(tree):
    return tree.labels["floc-faces"].astype(np.int16)


def as_nifti(tree, session=2, values=None, affine=AFFINE):
    """A session as NIfTI in place of HDF5."""
    tree.beta_file("subj01", session, ".hdf5").unlink()
    values = tree.session("subj01", session) if values is None else values
    path = tree.beta_file("subj01", session, ".nii.gz")
    nib.save(nib.Nifti1Image(values, affine, dtype=values.dtype), path)
    return path


def rewrite_betas(tree, values, session=2, name="betas", **options):
    with h5py.File(tree.beta_file("subj01", session, ".hdf5"), "w") as file:
        file.create_dataset(name, data=values.transpose(3, 2, 1, 0), **options)


# --- geometry

FLIP_X = np.array([[-1.0, 0, 0, 1.8 * 6], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@mutation(RIGHT)
def a_mask_stored_from_right_to_left(tree):
    save_mask(tree, faces(tree)[::-1], FLIP_X @ AFFINE)


@mutation(RIGHT)
def a_mask_with_its_axes_exchanged(tree):
    save_mask(tree, faces(tree).transpose(2, 0, 1), AFFINE[:, [2, 0, 1, 3]])


@mutation("floc-faces.nii.gz: .* lies elsewhere", 1.8, 40.0, -7.2)
def a_mask_that_is_shifted_by_mm(tree, mm):
    save_mask(tree, faces(tree), nib.affines.from_matvec(np.eye(3), [mm, 0, 0]) @ AFFINE)


@mutation("floc-faces.nii.gz: .* lies elsewhere", 1.0, 2.0)
def a_mask_of_voxels_of_mm(tree, mm):
    save_mask(tree, faces(tree), np.diag([mm, mm, mm, 1]))


@mutation("floc-faces.nii.gz: .* lies elsewhere")
def a_mask_of_another_shape(tree):
    save_mask(tree, np.ones((8, 8, 9), np.int16))


@mutation(r"floc-faces.nii.gz: expected .* as \(X, Y, Z\)")
def a_mask_of_four_dimensions(tree):
    save_mask(tree, faces(tree)[..., None])


@mutation(RIGHT)
def a_session_stored_from_right_to_left(tree):
    as_nifti(tree, values=tree.session("subj01", 2)[::-1], affine=FLIP_X @ AFFINE)


@mutation("betas_session02.nii.gz: .* lies elsewhere")
def a_session_that_is_shifted(tree):
    as_nifti(tree, affine=nib.affines.from_matvec(np.eye(3), [3.6, 0, 0]) @ AFFINE)


@mutation(RIGHT)
def all_sessions_as_nifti(tree):
    for session in (1, 2, 3):
        as_nifti(tree, session)


@mutation("betas_session02.hdf5: .* lies elsewhere")
def a_session_on_another_grid(tree):
    rewrite_betas(tree, tree.session("subj01", 2)[1:])


@mutation("ncsnr.nii.gz: .* lies elsewhere")
def a_noise_ceiling_of_another_shape(tree):
    path = tree.root / BETAS.format("subj01") / "ncsnr.nii.gz"
    nib.save(nib.Nifti1Image(np.ones((7, 8, 8), np.float32), AFFINE), path)


# --- values, types and scales


@mutation("betas_session02.hdf5: expected values of type", "u1", "i4", "f2", "u2", "i8", "c8")
def betas_of_type(tree, dtype):
    rewrite_betas(tree, tree.session("subj01", 2).astype(dtype))


@mutation("values are float32, but session 1 has int16|sessions differ in type")
def one_session_in_another_type(tree):
    rewrite_betas(tree, tree.session("subj01", 2).astype(np.float32))


@mutation(RIGHT)
def betas_with_the_other_byte_order(tree):
    for session in (1, 2, 3):
        rewrite_betas(tree, tree.session("subj01", session).astype(">i2"), session)


@mutation(RIGHT)
def betas_in_large_chunks(tree):
    rewrite_betas(tree, tree.session("subj01", 2), chunks=(5, 3, 4, 7), compression="gzip")


@mutation("betas_session02.nii.gz: expected unscaled values, found scale 2")
def scaled_betas(tree):
    path = as_nifti(tree)
    image = nib.load(path)
    image.header.set_slope_inter(2, 0)
    scaled = nib.Nifti1Image(np.asarray(image.dataobj), AFFINE, image.header)
    nib.save(scaled, path)
    content = bytearray(nib.load(path).to_bytes())
    content[112:116] = np.float32(2).tobytes()
    path.write_bytes(gzip.compress(bytes(content)))


@mutation("voxels with a role are NaN or infinite|NaN or infinite", np.nan, np.inf)
def betas_that_are(tree, value):
    for session in (1, 2, 3):
        values = tree.session("subj01", session).astype(np.float32)
        values[1, 2, 3, 4] = value
        rewrite_betas(tree, values, session)


@mutation("constant over all training trials|voxels unusable")
def a_voxel_that_is_constant(tree):
    values = tree.session("subj01", 2).copy()
    values[1, 2, 3] = 7
    rewrite_betas(tree, values)


@mutation("betas_session02.hdf5: expected the dataset 'betas' .*found")
def betas_under_another_name(tree):
    rewrite_betas(tree, tree.session("subj01", 2), name="data")


@mutation("betas_session02.hdf5: expected four axes")
def betas_of_two_dimensions(tree):
    with h5py.File(tree.beta_file("subj01", 2, ".hdf5"), "w") as file:
        file["betas"] = np.zeros((20, 504), np.int16)


@mutation("betas_session02.hdf5: cannot be read as HDF5", 0, 1, 100, 2000)
def betas_cut_at(tree, size):
    path = tree.beta_file("subj01", 2, ".hdf5")
    path.write_bytes(path.read_bytes()[:size])


@mutation("betas_session02.nii.gz: .*(damaged|cannot be read)", 30, 500, -12, -4)
def a_compressed_session_with_a_changed_byte_at(tree, position):
    path = as_nifti(tree)
    content = bytearray(path.read_bytes())
    content[position] ^= 255
    path.write_bytes(bytes(content))


@mutation("session 2 of 3")
def a_session_that_is_missing(tree):
    tree.beta_file("subj01", 2, ".hdf5").unlink()


# --- trials

DESIGN = "nsddata/experiments/nsd/nsd_expdesign.mat"
INFO = "nsddata/experiments/nsd/nsd_stim_info_merged.csv"
RESPONSES = "nsddata/ppdata/subj01/behav/responses.tsv"


def change_design(tree, **changes):
    path = tree.root / DESIGN
    kept = {name: x for name, x in loadmat(path).items() if not name.startswith("__")}
    kept |= {name: change(kept[name]) for name, change in changes.items()}
    savemat(path, {name: x for name, x in kept.items() if x is not None})


@mutation(DESIGN.rpartition("/")[2], "masterordering", "subjectim", "sharedix")
def a_design_without(tree, name):
    change_design(tree, **{name: lambda x: None})


@mutation(RIGHT, "masterordering", "sharedix")
def a_design_with_a_column_for_a_row_in(tree, name):
    change_design(tree, **{name: lambda x: x.T})


@mutation("nsd_expdesign.mat")
def a_design_with_subjects_in_columns(tree):
    change_design(tree, subjectim=lambda x: x.T)


@mutation("nsd_expdesign.mat|responses.tsv")
def a_design_that_counts_from_0(tree):
    change_design(tree, masterordering=lambda x: x - 1)


@mutation("nsd_expdesign.mat|responses.tsv|no row for shown images", 1, -1)
def ids_that_are_off_by(tree, step):
    change_design(tree, subjectim=lambda x: x + step)


@mutation("responses.tsv")
def trials_that_are_one_late(tree):
    change_design(tree, masterordering=lambda x: np.roll(x, 1, axis=-1))


@mutation("nsd_expdesign.mat: .* trials per subject")
def a_design_that_is_too_short(tree):
    change_design(tree, masterordering=lambda x: x[:, :30])


@mutation("nsd_expdesign.mat", b"", b"MATLAB 7.3 MAT-file", b"\x00" * 500)
def a_design_that_is(tree, content):
    (tree.root / DESIGN).write_bytes(content)


def edit_table(tree, name, change, separator=","):
    path = tree.root / name
    table = pd.read_csv(path, sep=separator)
    change(table).to_csv(path, sep=separator, index=False)


@mutation("nsd_stim_info_merged.csv", "nsdId", "cocoId", "shared1000")
def a_table_of_images_without(tree, column):
    edit_table(tree, INFO, lambda x: x.drop(columns=column))


@mutation(RIGHT)
def a_table_of_images_in_another_order(tree):
    edit_table(tree, INFO, lambda x: x.sample(frac=1, random_state=0))


@mutation("nsd_stim_info_merged.csv")
def a_table_of_images_with_an_id_twice(tree):
    edit_table(tree, INFO, lambda x: pd.concat([x, x.iloc[:1]]))


@mutation("nsd_stim_info_merged.csv")
def a_table_of_images_that_lacks_a_row(tree):
    edit_table(tree, INFO, lambda x: x.drop(index=20))


@mutation("nsd_stim_info_merged.csv")
def a_table_of_images_that_marks_other_shared_ones(tree):
    edit_table(tree, INFO, lambda x: x.assign(shared1000=x["nsdId"] < len(SHARED)))


@mutation(RIGHT, "utf-8-sig", "utf-8")
def a_table_of_images_in(tree, encoding):
    path = tree.root / INFO
    path.write_text(path.read_text().replace("\n", "\r\n"), encoding=encoding)


@mutation("nsd_stim_info_merged.csv", ";", "\t")
def a_table_of_images_separated_by(tree, separator):
    path = tree.root / INFO
    path.write_text(path.read_text().replace(",", separator))


@mutation("nsd_stim_info_merged.csv", "utf-16", "utf-32")
def a_table_of_images_encoded_in(tree, encoding):
    path = tree.root / INFO
    path.write_text(path.read_text(), encoding=encoding)


@mutation("nsd_stim_info_merged.csv", "", "\n", "nsdId,cocoId,shared1000\n", "\0\0")
def a_table_of_images_that_holds(tree, text):
    (tree.root / INFO).write_text(text)


@mutation(RIGHT)
def responses_that_are_missing(tree):
    (tree.root / RESPONSES).unlink()


@mutation("responses.tsv", "73KID", "SESSION")
def responses_without(tree, column):
    edit_table(tree, RESPONSES, lambda x: x.drop(columns=column), "\t")


@mutation("responses.tsv", "", "73KID\n", "SESSION,73KID\n1,2\n", "SESSION\t73KID\n1\tNA\n")
def responses_that_hold(tree, text):
    (tree.root / RESPONSES).write_text(text)


@mutation("responses.tsv")
def responses_of_another_subject(tree):
    other = tree.root / RESPONSES.replace("subj01", "subj02")
    (tree.root / RESPONSES).write_bytes(other.read_bytes())


# --- regions


@mutation("fractions.*nearest")
def a_mask_that_was_interpolated(tree):
    values = faces(tree).astype(np.float32)
    values[5, 2, 3] = 1.5
    save_mask(tree, values)


@mutation("found 255")
def a_mask_without_a_sign(tree):
    save_mask(tree, faces(tree).astype(np.uint8))


@mutation(RIGHT, "f4", "f8", "i4", "i1")
def a_mask_stored_as(tree, dtype):
    save_mask(tree, faces(tree).astype(dtype))


@mutation("floc-faces")
def a_mask_without_a_voxel(tree):
    save_mask(tree, np.zeros(GRID, np.int16))


@mutation("floc-faces")
def a_mask_that_is_missing(tree):
    roi(tree).unlink()


@mutation("prf-visualrois.nii.gz: (damaged|cannot be read)", 0, 100, -20)
def a_mask_cut_at(tree, size):
    path = roi(tree, "prf-visualrois")
    path.write_bytes(path.read_bytes()[:size])


TABLE = "nsddata/freesurfer/fsaverage/label/prf-visualrois.mgz.ctab"


@mutation(RIGHT, "utf-8-sig", "latin-1")
def a_table_of_labels_in(tree, encoding):
    path = tree.root / TABLE
    path.write_bytes((path.read_text() + "# Ä\r\n").encode(encoding))


@mutation("V1v|prf-visualrois", "utf-16")
def a_table_of_labels_encoded_in(tree, encoding):
    path = tree.root / TABLE
    path.write_text(path.read_text(), encoding=encoding)


@mutation("V1v", "", "1 V1v\n2 V1v\n", "V1v 1\n", "1;V1v\n")
def a_table_of_labels_that_holds(tree, text):
    (tree.root / TABLE).write_text(text)


# --- pictures and captions


def rewrite_pictures(tree, change, name="imgBrick"):
    path = layout(tree).stimuli
    with h5py.File(path) as file:
        brick = file["imgBrick"][:]
    with h5py.File(path, "w") as file:
        file[name] = change(brick)


def layout(tree):
    return layout_of(load_config("smoke", {"data.root": str(tree.root)}))


@mutation("nsd_stimuli.hdf5: expected square")
def pictures_that_are_wide(tree):
    rewrite_pictures(tree, lambda x: np.concatenate([x, x], axis=2))


@mutation("nsd_stimuli.hdf5: expected", "f4", "i2")
def pictures_of_type(tree, dtype):
    rewrite_pictures(tree, lambda x: x.astype(dtype))


@mutation("nsd_stimuli.hdf5: expected")
def pictures_with_colours_first(tree):
    rewrite_pictures(tree, lambda x: x.transpose(0, 3, 1, 2))


@mutation("nsd_stimuli.hdf5: expected 60 images, found 40")
def pictures_of_which_some_are_missing(tree):
    rewrite_pictures(tree, lambda x: x[:40])


@mutation("nsd_stimuli.hdf5: expected the dataset 'imgBrick'")
def pictures_under_another_name(tree):
    rewrite_pictures(tree, lambda x: x, name="images")


@mutation("nsd_stimuli.hdf5: cannot be read as HDF5", 0, 900)
def pictures_cut_at(tree, size):
    path = layout(tree).stimuli
    path.write_bytes(path.read_bytes()[:size])


def caption_file(tree):
    return layout(tree).captions()[0]


@mutation(RIGHT)
def captions_that_lie_there_twice(tree):
    path = caption_file(tree)
    path.with_name("captions_copy.json").write_bytes(path.read_bytes())


@mutation("was another in a file before it")
def captions_that_contradict_each_other(tree):
    path = caption_file(tree)
    path.with_name("captions_other.json").write_text(path.read_text().replace("image 3,", "x,"))


@mutation("expected 5 captions, found")
def captions_of_one_file_alone(tree):
    caption_file(tree).unlink()


@mutation("captions_.*json", "", "{", "[]", "{}", '{"annotations": 3}', '{"annotations": [{}]}')
def captions_that_hold(tree, text):
    caption_file(tree).write_text(text)


@mutation("captions_.*json", "utf-16", "utf-32")
def captions_encoded_in(tree, encoding):
    path = caption_file(tree)
    path.write_text(path.read_text(), encoding=encoding)


def _everything(config):
    subject, stimuli = load_subject(config, "subj01"), load_stimuli(config)
    shown = np.unique(subject.trials["image"])
    return {
        "ijk": subject.ijk,
        "betas": np.asarray(subject.betas),
        "train": subject.train_betas,
        "test": subject.test_betas,
        "images": subject.trials["image"].to_numpy(),
        "structural": subject.structural,
        "pictures": stimuli.images(shown),
        "captions": np.array(stimuli.captions(shown, 5)),
    }


def test_there_are_enough_of_every_kind():
    assert len(MUTATIONS) >= 80
    assert sum(LENGTHS) == 59


@pytest.mark.parametrize("name", MUTATIONS)
def test_read_right_or_refused(tree, config, name):
    change, expected = MUTATIONS[name]
    before = _everything(config)
    change(tree)
    findings = check_subject(config, "subj01")
    wrong = " | ".join(finding.text for finding in findings if finding.level == "ERROR")
    if expected == RIGHT:
        after = _everything(config)
        for key, value in before.items():
            np.testing.assert_array_equal(after[key], value, err_msg=key)
        assert not has_errors(findings), wrong
    else:
        with pytest.raises(HavirError) as error:
            _everything(config)
        assert re.search(expected, str(error.value)), str(error.value)
        assert re.search(expected, wrong), wrong
    json.dumps([finding.text for finding in findings])
