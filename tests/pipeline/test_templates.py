"""Template masks: from the simulation's template, and from the other subjects."""

import nibabel as nib
import numpy as np
import pytest

from havir_lib.data.layout import layout_of
from havir_lib.errors import DataError, ShapeError
from havir_lib.pipeline import brains
from havir_lib.pipeline.decoding import templates


def grid(shape, step=1.0, shift=0.0):
    return np.stack(np.indices(shape), axis=-1) * step + shift


def test_vote_of_subjects_on_the_same_grid_is_the_majority():
    shape = (3, 4, 5)
    labels = [np.zeros(shape, int) for _ in range(3)]
    labels[0][0] = labels[1][0] = 2  # two of three
    labels[2][1] = 1  # one of three: not more votes than none
    labels[0][2], labels[1][2], labels[2][2] = 1, 2, 2
    labels[0][0, 0, 0] = labels[1][0, 0, 0] = labels[2][0, 0, 0] = -1  # outside cortex
    others = {str(i): (grid(shape), item) for i, item in enumerate(labels)}
    found = templates.vote(grid(shape), others)
    expected = np.zeros(shape, int)
    expected[0] = expected[2] = 2
    expected[0, 0, 0] = 0
    np.testing.assert_array_equal(found, expected)


def test_vote_goes_by_place_not_by_index():
    """The other's grid is finer and shifted; NaN marks what its transform does not reach."""
    points = grid((8, 8, 8), step=0.5, shift=1.0)  # from 1.0 to 4.5
    labels = np.ones((8, 8, 8), int)
    labels[:4] = 3  # x < 3
    points[0, 0, 0] = np.nan
    mine = grid((6, 6, 6))
    mine[5, 5, 5] = np.nan
    found = templates.vote(mine, {"other": (points, labels)})
    assert found[2, 2, 2] == 3
    assert found[4, 2, 2] == 1
    assert found[5, 5, 5] == 0


def test_simulated_subjects_use_the_unwarped_atlas(run):
    assert templates.mask_folder(run, "subj01") == "roi_template"
    own, template = brains.subject(run, "subj01"), templates.template_brain(run, "subj01")
    assert {tuple(x) for x in own.ijk.tolist()} != {tuple(x) for x in template.ijk.tolist()}
    assert not (template.structural & template.semantic).any()
    np.testing.assert_array_equal(own.test_images, template.test_images)
    hour = templates.template_brain(run, "subj02")
    np.testing.assert_array_equal(hour.train_images, brains.subject(run, "subj02").train_images)


@pytest.fixture
def transforms(run):
    """MNI coordinates of each voxel, as NSD stores them; here the linear part alone."""
    layout = layout_of(run.config, brains.data_root(run))
    written = []
    for name in run.subjects:
        volume = nib.load(layout.ncsnr(name))
        points = grid(volume.shape) @ volume.affine[:3, :3].T + volume.affine[:3, 3] + 130
        points[0, 0, 0] = templates.OUTSIDE
        path = layout.root / "nsddata/ppdata" / name / "transforms/MNI-to-func1pt8.nii.gz"
        before = path.read_bytes() if path.is_file() else None
        path.parent.mkdir(exist_ok=True)
        nib.save(nib.Nifti1Image(points.astype(np.float32), np.eye(4)), path)
        written.append((path, before))
    yield layout
    for path, before in written:
        path.unlink() if before is None else path.write_bytes(before)


def test_group_masks_come_from_the_other_subjects(run, transforms):
    folder = templates.group_masks(run, transforms, "subj01")
    found = np.asarray(nib.load(folder / "prf-visualrois.nii.gz").dataobj)
    own = np.asarray(nib.load(transforms.roi("subj01", "prf-visualrois")).dataobj)
    assert found.shape == own.shape
    both = ((found > 0) & (own > 0)).sum()
    dice = 2 * both / ((found > 0).sum() + (own > 0).sum())
    assert 0.2 < dice < 0.95  # near the individual's regions, but not them
    assert (folder / "floc-places.nii.gz").is_file()


def test_without_transforms_the_error_names_the_file(run):
    layout = layout_of(run.config, brains.data_root(run))
    with pytest.raises(DataError, match=r"MNI-to-func1pt8\.nii\.gz"):
        templates.read_coordinates(layout, "subj03")


def test_coordinates_need_three_components(run, transforms):
    path = transforms.root / "nsddata/ppdata/subj01/transforms/MNI-to-func1pt8.nii.gz"
    nib.save(nib.Nifti1Image(np.zeros((3, 4, 5), np.float32), np.eye(4)), path)
    with pytest.raises(ShapeError, match=r"\(X, Y, Z, 3\)"):
        templates.read_coordinates(transforms, "subj01")
