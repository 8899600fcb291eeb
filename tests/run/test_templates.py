"""Template masks: from the simulation's template, and from the other subjects."""

from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from havir_lib.data.layout import layout_of
from havir_lib.data.transforms import MNI_AFFINE, NO_DATA
from havir_lib.errors import DataError
from havir_lib.run import templates
from havir_lib.simulation.transforms import write_transforms


def test_every_voxel_takes_the_label_of_most():
    # Places 0 and 1 lie in voxel (0, 0, 0), 2 in (1, 2, 3), 3 and 5 outside, 4 in (1, 0, 0).
    places = np.array(
        [[0, 0, 0.4], [0.2, 0, 0.3], [1, 2, 3], [np.nan] * 3, [0.6, 0.1, 0], [0, 3.0, 0]]
    )
    labels = [np.array(x) for x in ([1, 2, 0, 5, -1, 5], [2, 2, 3, 5, 0, 5], [2, 0, 3, 5, 4, 5])]
    found = templates.vote(places, labels, (2, 3, 4))
    expected = np.zeros((2, 3, 4), int)
    expected[0, 0, 0] = 2  # 4 of 6 votes
    expected[1, 2, 3] = 3  # 2 of 3; voxel (1, 0, 0) has 1 of 3, not more than none
    np.testing.assert_array_equal(found, expected)


class Labelled:
    """One set of labels and their names."""

    def __init__(self, values, table):
        self.values, self.tables = np.array(values), {"areas": table}

    def labels(self, roi_set):
        return self.values


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({"V1": 1, "V2": 2}, [1, 2, 5, 0]),
        ({"V2": 1, "V1": 2}, [2, 1, 0, 0]),
        ({"V2": 5}, [0, 0, 2, 0]),
    ],
)
def test_labels_go_by_their_names(theirs, expected):
    own, other = Labelled([0, 0, 0, 0], {"V1": 1, "V2": 2}), Labelled([1, 2, 5, 0], theirs)
    np.testing.assert_array_equal(templates.numbered_as(own, other, "areas"), expected)


def test_simulated_subjects_use_the_unwarped_atlas(run):
    _, files = templates.template_regions(run, "subj01")
    assert {file.parent.name for file in files} == {"roi_template"}
    own, template = run.subject("subj01"), templates.template_subject(run, "subj01")
    assert {tuple(x) for x in own.ijk.tolist()} != {tuple(x) for x in template.ijk.tolist()}
    assert not (template.structural & template.semantic).any()
    np.testing.assert_array_equal(own.test_images, template.test_images)
    hour = templates.template_subject(run, "subj02")
    np.testing.assert_array_equal(hour.train_images, run.subject("subj02").train_images)


@pytest.fixture
def linear(run):
    """Transforms to MNI by the linear part alone, as if the individual's warp were unknown."""
    layout = layout_of(run.config, run.data_root)
    kept = {}
    for name in run.subjects:
        path = layout.to_mni(name)
        kept[path] = path.read_bytes()
        known = np.asarray(nib.load(path).dataobj)
        places = np.stack(np.indices(known.shape[:3]), axis=-1)
        native = nib.affines.apply_affine(
            np.linalg.inv(nib.load(layout.ncsnr(name)).affine) @ MNI_AFFINE, places
        )
        native = np.where((known == NO_DATA).any(axis=-1, keepdims=True), NO_DATA, native + 1)
        nib.save(nib.Nifti1Image(native.astype(np.float32), MNI_AFFINE), path)
    yield layout
    for path, content in kept.items():
        path.write_bytes(content)


def dice(layout, masks, roi_set="prf-visualrois"):
    found = masks.labels(roi_set)
    own = np.asarray(nib.load(layout.roi("subj01", roi_set)).dataobj)
    assert found.shape == own.shape
    same = ((found > 0) & (found == own)).sum()
    return 2 * same / ((found > 0).sum() + (own > 0).sum())


def test_group_masks_are_near_the_individuals_and_nearer_with_the_true_transform(run, linear):
    by_linear = dice(linear, templates.group_masks(run, "subj01"))
    assert by_linear > 0.03
    for path in (linear.to_mni(name) for name in run.subjects):
        path.unlink()
    for name in run.subjects:
        subject = run.config.simulation.subjects[name]
        write_transforms(subject, run.config.simulation.warp_mm, linear.transforms(name))
    by_truth = dice(linear, templates.group_masks(run, "subj01"))
    assert by_truth > by_linear + 0.15


def test_without_transforms_the_error_names_the_file(run, linear):
    linear.to_mni("subj02").unlink()
    with pytest.raises(DataError, match=r"subj02.*func1pt8-to-MNI\.nii\.gz"):
        templates.group_masks(run, "subj01")


def test_a_lone_subject_has_no_group(run):
    data = run.config.data.model_copy(update={"subjects": ["subj01"]})
    alone = replace(run, config=run.config.model_copy(update={"data": data}))
    with pytest.raises(DataError, match="there are none"):
        templates.group_masks(alone, "subj01")


def test_template_masks_end_where_the_subjects_own_brain_does(run):
    layout = layout_of(run.config, run.data_root)
    brain = np.asarray(nib.load(layout.brain_mask("subj01")).dataobj) > 0
    template = templates.template_subject(run, "subj01")
    assert brain[tuple(template.ijk.T)].all()
    _, files = templates.template_regions(run, "subj01")
    drawn = [np.asarray(nib.load(file).dataobj) > 0 for file in files]
    assert (np.any(drawn, axis=0) & ~brain).any()  # as drawn, they reach outside
