"""A subject on a surface: the same numbers as in its volume, hemispheres that fit, maps."""

import json

import nibabel as nib
import numpy as np
import pytest

from havir_lib.data import load_subject
from havir_lib.data.check import check_subject, has_errors
from havir_lib.data.readers import BidsReader, BidsSurfaceReader, open_reader
from havir_lib.data.spaces import to_fsaverage5
from havir_lib.data.surface import Surface, pair_of, read_side, write_side
from havir_lib.errors import DataError, HavirError, ShapeError
from tests.data.test_bids import NAME, configured, own, settings  # noqa: F401

N_LEFT = 300


def write_mgz(path, values):
    """(n, k), as FreeSurfer writes it."""
    values = values.reshape(len(values), 1, 1, -1)
    nib.save(nib.MGHImage(values[..., 0] if values.shape[3] == 1 else values, np.eye(4)), path)


def write_gifti(path, values):
    """(n, k): an array per column, as fMRIPrep and Workbench write it."""
    arrays = [nib.gifti.GiftiDataArray(np.ascontiguousarray(column)) for column in values.T]
    nib.save(nib.GiftiImage(darrays=arrays), path)


WRITE = {".mgz": write_mgz, ".func.gii": write_gifti}


def lay_out(root, kind=".mgz", surface="own", pad=0, n_left=N_LEFT):
    """Put each volume's voxels in a row, left and right part apart; `pad` more vertices on each."""
    for path in sorted((root / NAME).rglob("*.nii.gz")):
        values = nib.load(path).get_fdata(dtype=np.float32)
        flat = values.reshape(np.prod(values.shape[:3]), -1)
        for side, part in zip("LR", np.split(flat, [n_left]), strict=True):
            rest = path.name.removeprefix(f"{NAME}_").removesuffix(".nii.gz")
            session, _, betas = rest.rpartition("_") if "betas" in rest else ("", "", rest)
            start = f"{NAME}_{session}_" if session else f"{NAME}_"
            full = np.concatenate([part, np.zeros((pad - len(part), part.shape[1]), "f4")]
                                  if pad else [part])  # fmt: skip
            WRITE[kind](path.with_name(f"{start}hemi-{side}_{betas}{kind}"), full)
        path.unlink()
    about = json.loads((root / "dataset.json").read_text()) | {"surface": surface}
    (root / "dataset.json").write_text(json.dumps(about))


@pytest.mark.parametrize("kind", list(WRITE))
def test_the_same_subject_as_in_its_volume(own, configured, kind, tmp_path):  # noqa: F811
    volume = load_subject(configured(), NAME, cache=tmp_path / "a")
    lay_out(own, kind)
    ours = load_subject(configured(), NAME, cache=tmp_path / "b")
    row = np.ravel_multi_index(volume.ijk.T, volume.shape)
    np.testing.assert_array_equal(ours.ijk, np.stack([row, 0 * row, 0 * row], 1))
    np.testing.assert_allclose(ours.train_betas, volume.train_betas, atol=1e-5)
    np.testing.assert_allclose(ours.test_betas, volume.test_betas, atol=1e-5)
    np.testing.assert_array_equal(ours.structural, volume.structural)
    np.testing.assert_allclose(ours.ncsnr, volume.ncsnr, rtol=1e-6)
    assert not ours.has_places
    assert ours.anatomy.surface == Surface("own", N_LEFT, ours.shape[0] - N_LEFT)
    assert not has_errors(check_subject(configured(), NAME))


def test_dataset_json_decides(own, configured):  # noqa: F811
    assert type(open_reader(configured())) is BidsReader
    lay_out(own)
    assert type(open_reader(configured())) is BidsSurfaceReader


def test_maps_of_an_average_surface_are_its_first_vertices(own, configured):  # noqa: F811
    lay_out(own, surface="fsaverage5", pad=10_242)
    subject = load_subject(configured(), NAME)
    codes = subject.volume(np.where(subject.structural, 1.0, 2.0))
    shown = to_fsaverage5(subject.anatomy.surface.map(codes))
    places = np.concatenate([shown.left, shown.right])
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(places)), subject.ijk[:, 0])
    finer = Surface("fsaverage6", 40_962, 40_962)
    values = np.arange(2 * 40_962.0)
    np.testing.assert_array_equal(
        to_fsaverage5(finer.map(values)).right, 40_962 + np.arange(10_242)
    )


def _lose_one(root):
    (root / NAME / "betas" / f"{NAME}_ses-02_hemi-R_betas.mgz").unlink()


def _fewer_trials(root):
    path = root / NAME / "betas" / f"{NAME}_ses-02_hemi-R_betas.mgz"
    write_mgz(path, read_side(path, "")[:, 1:])


def _other_vertices(root):
    for path in (root / NAME / "betas").glob(f"{NAME}_ses-02_hemi-*"):
        write_mgz(path, read_side(path, "")[2:])


def _mask_of_another(root):
    path = root / NAME / "rois" / f"{NAME}_hemi-L_label-V1v_mask.mgz"
    write_mgz(path, read_side(path, "")[1:])


def _a_volume(root):
    path = root / NAME / "rois" / f"{NAME}_hemi-L_label-V1v_mask.mgz"
    nib.save(nib.MGHImage(np.zeros((3, 4, 5), "f4"), np.eye(4)), path)


def _cut_gifti(root):
    path = root / NAME / "rois" / f"{NAME}_hemi-L_label-V1v_mask.shape.gii"
    write_side(path, np.ones(N_LEFT))
    path.write_bytes(path.read_bytes()[:-60])
    path.with_name(path.name.replace("-L_", "-R_")).write_bytes(path.read_bytes())


def _average(root):
    about = json.loads((root / "dataset.json").read_text()) | {"surface": "fsaverage"}
    (root / "dataset.json").write_text(json.dumps(about))


def _unknown(root):
    (root / "dataset.json").write_text('{"unit": "percent", "surface": "fsavg"}')


FAULTS = {
    "a hemisphere is missing": (_lose_one, "hemi-R_betas.mgz: expected the other hemisphere of"),
    "hemispheres of other trials": (_fewer_trials, "expected .* trials as .*hemi-L.* found"),
    "sessions of other vertices": (_other_vertices, "vertices as the first session has"),
    "a mask of another surface": (_mask_of_another, "vertices that the subject has, found 299"),
    "a volume": (_a_volume, r"expected values on vertices, .* found \(3, 4, 5\): a volume"),
    "a cut GIFTI": (_cut_gifti, "V1v_mask.shape.gii: damaged"),
    "not the surface that is named": (_average, "expected the 163,842 vertices of a hemisphere"),
    "a surface that nobody knows": (_unknown, "one of fsaverage, .*, own, found 'fsavg'"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_faults_are_named_by_the_check_and_the_run(own, configured, name):  # noqa: F811
    spoil, message = FAULTS[name]
    lay_out(own)
    spoil(own)
    with pytest.raises(HavirError, match=message):
        load_subject(configured(), NAME)
    found = check_subject(configured(), NAME)
    assert any(finding.level == "ERROR" for finding in found), found


def test_pairs_by_name(tmp_path):
    assert pair_of(tmp_path, "x_hemi-{side}_y") is None
    for side in "LR":
        write_side(tmp_path / f"x_hemi-{side}_y.shape.gii", np.arange(4))
    left, right = pair_of(tmp_path, "x_hemi-{side}_y")
    assert (left.name, right.name) == ("x_hemi-L_y.shape.gii", "x_hemi-R_y.shape.gii")
    np.testing.assert_array_equal(read_side(left, "")[:, 0], [0, 1, 2, 3])
    left.unlink()
    with pytest.raises(DataError, match="other hemisphere"):
        pair_of(tmp_path, "x_hemi-{side}_y")


def test_an_average_surface_has_its_vertices(tmp_path):
    Surface("own", 7, 8).check(tmp_path)
    Surface("fsaverage5", 10_242, 10_242).check(tmp_path)
    with pytest.raises(ShapeError, match="10,242 vertices of a hemisphere of fsaverage5"):
        Surface("fsaverage5", 10_242, 10_241).check(tmp_path)
