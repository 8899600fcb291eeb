"""The methods of the comparison: what each is given, and that nothing else differs."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors import safe_open

from havir_lib.cache.content import Description
from havir_lib.cache.store import recipe_of
from havir_lib.evaluation import nearest
from havir_lib.evaluation.correlation import all_correlations
from havir_lib.run import designs, images
from havir_lib.run.methods import METHODS, methods_table, nearest_training_images
from havir_lib.training import BRANCHES, load_model
from havir_lib.training.branches import OWN_LOSSES

NAMES = tuple(METHODS)


def model_of(run, name, branch, design):
    return load_model(run.trained(name, branch, design).path / "best.safetensors")


def test_pool_in_blocks_equals_the_whole(rng, monkeypatch):
    monkeypatch.setattr(nearest, "POOL_BLOCK", 4)
    queries, pool = rng.normal(size=(3, 7, 8)), rng.normal(size=(20, 7, 8))
    rows = rng.permutation(20)[:11]
    found = nearest.similarity_to(queries, pool, rows)
    whole = np.corrcoef(queries.reshape(3, -1), pool[rows].reshape(11, -1))[:3, 3:]
    np.testing.assert_allclose(found, whole, atol=1e-6)


@pytest.mark.parametrize("method", NAMES)
def test_every_method_predicts_every_test_image(run, method):
    predicted = run.predictions("subj02", method)
    ids = run.subject("subj02").test_images
    np.testing.assert_array_equal(predicted.image_ids, ids)
    for array in predicted.present.values():
        assert len(array) == len(ids)
        assert np.isfinite(array).all()


def test_methods_that_train_run_only_in_full(run):
    comparison = run.config.comparison.model_copy(update={"full": False})
    core = replace(run, config=run.config.model_copy(update={"comparison": comparison}))
    trains = {"all voxels", "swapped roles", "template masks"}
    assert set(run.method_names()) == set(NAMES)
    assert not trains & set(core.method_names())
    assert "nearest training image" in core.method_names()
    competing = core.method_names(bounds=False)
    assert set(core.method_names()) - set(competing) == {"shuffled voxels", "true targets"}
    table = methods_table(core)
    assert list(table.index) == list(core.method_names())
    assert set(table.index[table["competes"]]) == set(competing)


def test_designs_see_the_voxels_they_should(run):
    brain = run.subject("subj01")
    n = {branch: int(getattr(brain, branch).sum()) for branch in BRANCHES}
    seen = {
        (label, branch): model_of(run, "subj01", branch, design).n_voxels
        for label, design in (("all", designs.ALL_VOXELS), ("swapped", designs.SWAPPED_ROLES))
        for branch in BRANCHES
    }
    assert seen["all", "structural"] == seen["all", "semantic"] == brain.n_voxels
    assert seen["swapped", "structural"] == n["semantic"] != n["structural"]
    assert seen["swapped", "semantic"] == n["structural"]


def test_swapping_twice_gives_the_subject_back(run):
    brain = run.subject("subj01")
    other = designs.swapped(run, "subj01")
    np.testing.assert_array_equal(other.structural, brain.semantic)
    np.testing.assert_array_equal(other.semantic, brain.structural)
    np.testing.assert_array_equal(other.train_betas, brain.train_betas)


def test_styles_leave_out_what_they_should(run):
    bridge = run.predictions("subj01", "in the style of MindBridge")
    assert bridge.latents is None
    assert bridge.text_tokens is not None
    eye = run.predictions("subj01", "in the style of MindEye")
    assert eye.latents is not None
    assert eye.text_tokens is None
    assert model_of(run, "subj01", "semantic", designs.MINDBRIDGE_STYLE).embed[0].in_features == 16


def test_designs_share_what_they_have_in_common(run):
    """The same network on the same voxels is trained once, whoever asks for it."""
    undivided = run.trained("subj02", "structural", designs.ALL_VOXELS)
    assert run.trained("subj02", "structural", designs.MINDEYE_STYLE) == undivided
    assert run.trained("subj02", "structural") != undivided


def test_transfer_starts_from_the_base_of_the_same_design(run):
    recipes = {
        name: recipe_of(run.trained(name, "semantic", designs.ALL_VOXELS).path)["arguments"]
        for name in run.subjects
    }
    base = run.model("subj01", "semantic", designs.ALL_VOXELS)
    assert recipes["subj02"]["base"] == Description().of(base)
    assert recipes["subj01"].get("base") is None


def test_without_text_the_text_head_stays_as_it_began(run):
    folder = run.trained("subj01", "semantic", designs.MINDEYE_STYLE)
    with safe_open(folder.path / "last.safetensors", framework="pt") as file:
        bias = file.get_tensor("text_head.bias")
        image_bias = file.get_tensor("image_head.bias")
    assert not bias.any()  # starts at zero and gets no gradient
    assert image_bias.any()


def test_nearest_training_image_is_one_and_the_nearest(run):
    found = nearest_training_images(run, "subj01")
    brain = run.subject("subj01")
    pool = np.unique(brain.train_images)
    assert np.isin(found, pool).all()
    predicted = run.predictions("subj01").image_tokens
    tokens = run.targets("subj01").select(pool).image_tokens
    expected = all_correlations(nearest.flat(predicted), nearest.flat(tokens)).argmax(axis=1)
    np.testing.assert_array_equal(found, pool[expected])


def test_nearest_training_images_are_shown_as_they_are(run):
    made = run.images("subj01", "nearest training image")
    stimuli = run.stimuli.images(nearest_training_images(run, "subj01"))
    np.testing.assert_array_equal(made.images, stimuli)
    np.testing.assert_array_equal(made.image_ids, run.subject("subj01").test_images)


def test_absent_predictions_are_switched_off_in_diffusion(run):
    """Reconstruction in MindEye's style equals HAVIR's sampler without text."""
    eye = run.predictions("subj01", "in the style of MindEye")
    made = run.images("subj01", "in the style of MindEye").images
    with_text = replace(eye, text_tokens=run.predictions("subj01").text_tokens)
    sampling = run.config.diffusion
    without = images.generate(run, with_text, sampling, "w/o e_cap").images
    np.testing.assert_array_equal(made, without)
    assert not np.array_equal(made, images.generate(run, with_text, sampling).images)


def test_shuffled_voxels_are_the_same_values_in_another_place(run):
    real = run.predictions("subj01")
    shuffled = run.predictions("subj01", "shuffled voxels")
    assert not np.allclose(real.image_tokens, shuffled.image_tokens)


def test_every_loss_setting_belongs_to_a_branch(run):
    own = {branch: set(names) for branch, names in OWN_LOSSES.items()}
    assert own["structural"] | own["semantic"] == set(type(run.config.training.losses).model_fields)
    assert not own["structural"] & own["semantic"]
