"""From a subject to two trained branches, transfer, and predictions for its test images."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch

from havir_lib.config import load_config
from havir_lib.errors import DataError, ShapeError
from havir_lib.targets import Targets
from havir_lib.training import (
    Predictions,
    branch_settings,
    load_model,
    predict,
    predict_images,
    rescale,
    token_lengths,
    train_branch,
)
from havir_lib.training.branches import ARRAYS, target_arrays


@dataclass(frozen=True)
class Participant:
    """The fields of a Subject that training and prediction use."""

    train_betas: np.ndarray
    train_images: np.ndarray
    test_betas: np.ndarray
    test_images: np.ndarray
    structural: np.ndarray
    semantic: np.ndarray


def participant(rng, n_voxels=19):
    role = np.arange(n_voxels) % 2 == 0
    return Participant(
        rng.standard_normal((60, n_voxels)).astype("float32"),
        np.repeat(np.arange(20), 3) + 100,
        rng.standard_normal((7, n_voxels)).astype("float32"),
        np.arange(7),
        role,
        ~role,
    )


@pytest.fixture
def subject(rng):
    return participant(rng)


@pytest.fixture
def targets(rng):
    def draw(*shape):
        return rng.standard_normal((30, *shape)).astype("float16")

    ids = rng.permutation(np.r_[np.arange(7), np.arange(97, 120)])
    arrays = {
        "latents": draw(5, 12, 12),
        "image_tokens": draw(7, 8),
        "text_tokens": draw(4, 9, 8),
    }
    return Targets(ids, arrays.get)


@pytest.fixture
def config():
    fit = {"epochs": 2, "batch_size": 8, "learning_rate": 1e-3}
    names = ("structural", "semantic", "transfer_structural", "transfer_semantic")
    return load_config(
        "smoke",
        {
            **{f"training.{name}": fit for name in names},
            "structural_generator": {
                "hidden": 16,
                "n_blocks": 1,
                "map_channels": 8,
                "map_size": 3,
                "decoder_channels": [8, 8, 16],
            },
            "semantic_extractor": {"hidden": 16, "n_blocks": 1},
        },
    )


def train_one(folder, branch, config, subject, targets, base=None):
    train_branch(
        folder,
        subject.train_betas[:, getattr(subject, branch)],
        subject.train_images,
        [getattr(targets, name) for name in ARRAYS[branch]],
        targets.image_ids,
        branch_settings(config, branch, transfer=base is not None),
        base and load_model(base / "best.safetensors"),
        config.seed,
    )


def train_both(tmp_path, config, subject, targets):
    folders = {branch: tmp_path / branch for branch in ("structural", "semantic")}
    for branch, folder in folders.items():
        train_one(folder, branch, config, subject, targets)
    return {branch: load_model(folder / "best.safetensors") for branch, folder in folders.items()}


def lengths_of(targets, ids):
    return token_lengths(targets.image_tokens, targets.text_tokens, targets.rows(ids))


def predict_test(models, subject, targets, betas=None, **options):
    betas = subject.test_betas if betas is None else betas
    parts = {}
    for branch, model in models.items():
        parts |= {branch: model, f"{branch}_betas": betas[:, getattr(subject, branch)]}
    lengths = lengths_of(targets, np.unique(subject.train_images))
    return predict_images(image_ids=subject.test_images, lengths=lengths, **parts, **options)


def test_branches_see_their_own_voxels_and_predict_test_images(tmp_path, config, subject, targets):
    models = train_both(tmp_path, config, subject, targets)
    assert models["structural"].n_voxels == 10
    assert models["semantic"].n_voxels == 9
    found = predict_test(models, subject, targets)
    assert found.latents.shape == (7, 5, 12, 12)
    assert found.image_tokens.shape == (7, 7, 8)
    assert found.text_tokens.shape == (7, 9, 8)
    np.testing.assert_array_equal(found.image_ids, subject.test_images)
    with torch.no_grad():
        betas = torch.tensor(subject.test_betas[:, subject.semantic])
        image, text = models["semantic"](betas)
    for tokens, raw in ((found.image_tokens, image), (found.text_tokens, text)):
        unit = raw / raw.norm(dim=-1, keepdim=True)
        made = tokens / np.linalg.norm(tokens, axis=-1, keepdims=True)
        np.testing.assert_allclose(made, unit, atol=1e-5)


def test_given_betas_replace_the_subjects(tmp_path, config, subject, targets):
    models = train_both(tmp_path, config, subject, targets)
    other = subject.test_betas[::-1].copy()
    turned = predict_test(models, subject, targets, other)
    np.testing.assert_allclose(
        turned.latents, predict_test(models, subject, targets).latents[::-1], atol=1e-5
    )


def test_transfer_starts_from_the_base_weights(tmp_path, config, subject, targets, rng):
    train_one(tmp_path / "base", "semantic", config, subject, targets)
    frozen = config.model_copy(
        update={"training": config.training.model_copy(update={"transfer_layers": "embed"})}
    )
    other = participant(rng, n_voxels=25)
    train_one(tmp_path / "new", "semantic", frozen, other, targets, base=tmp_path / "base")
    base = load_model(tmp_path / "base" / "best.safetensors").state_dict()
    new = load_model(tmp_path / "new" / "last.safetensors").state_dict()
    assert new["embed.0.weight"].shape == (16, 12)
    rest = [name for name in base if not name.startswith("embed.")]
    assert all(torch.equal(base[name], new[name]) for name in rest)
    train_one(tmp_path / "all", "semantic", config, other, targets, base=tmp_path / "base")
    tuned = load_model(tmp_path / "all" / "last.safetensors").state_dict()
    assert not any(torch.equal(base[name], tuned[name]) for name in rest if "weight" in name)


def test_transfer_uses_its_own_schedule(tmp_path, config, subject, targets):
    longer = config.training.transfer_semantic.model_copy(update={"epochs": 3})
    changed = config.model_copy(
        update={"training": config.training.model_copy(update={"transfer_semantic": longer})}
    )
    train_one(tmp_path / "base", "semantic", changed, subject, targets)
    train_one(tmp_path / "new", "semantic", changed, subject, targets, base=tmp_path / "base")
    lines = {name: (tmp_path / name / "history.csv").read_text() for name in ("base", "new")}
    assert [text.count("\n") - 1 for text in lines.values()] == [2, 3]


def test_captions_are_kept_apart_or_averaged(config, targets):
    arrays = [targets.image_tokens, targets.text_tokens]
    settings = branch_settings(config, "semantic")
    _, text = target_arrays(replace(settings, captions="all"), arrays)
    assert text.shape == (30, 4, 9, 8)
    _, text = target_arrays(replace(settings, captions="mean"), arrays)
    expected = targets.text_tokens.astype("float32").mean(1, keepdims=True)
    np.testing.assert_allclose(text, expected, rtol=1e-5)


def test_nan_in_test_betas_is_an_error(tmp_path, config, subject, targets):
    train_one(tmp_path, "structural", config, subject, targets)
    model = load_model(tmp_path / "best.safetensors")
    betas = np.full((3, 10), np.nan, dtype="float32")
    with pytest.raises(DataError, match="found 30 that are NaN"):
        predict(model, betas)


def make_predictions(rng):
    return Predictions(
        rng.standard_normal((6, 5, 4, 4)).astype("float32"),
        rng.standard_normal((6, 7, 8)).astype("float32"),
        rng.standard_normal((6, 9, 8)).astype("float32"),
        np.arange(6) * 3,
    )


def test_predictions_must_agree_in_number(rng):
    predictions = make_predictions(rng)
    with pytest.raises(ShapeError, match="'text_tokens': 5"):
        replace(predictions, text_tokens=predictions.text_tokens[:5])


def test_rescale_sets_lengths_and_keeps_directions(rng, targets):
    predictions = make_predictions(rng)
    lengths = lengths_of(targets, np.array([100, 105, 101]))
    assert [length.shape for length in lengths] == [(7,), (9,)]
    found = rescale(predictions, lengths)
    norms = np.linalg.norm(found.image_tokens, axis=-1)
    np.testing.assert_allclose(norms, np.broadcast_to(lengths[0], (6, 7)), rtol=1e-5)
    cosine = (found.text_tokens * predictions.text_tokens).sum(-1) / (
        np.linalg.norm(found.text_tokens, axis=-1)
        * np.linalg.norm(predictions.text_tokens, axis=-1)
    )
    np.testing.assert_allclose(cosine, 1, rtol=1e-5)
    rows = [list(targets.image_ids).index(image) for image in (100, 105, 101)]
    expected = np.linalg.norm(targets.image_tokens[rows].astype("float32"), axis=-1).mean(0)
    np.testing.assert_allclose(lengths[0], expected, rtol=1e-4)
    np.testing.assert_array_equal(found.latents, predictions.latents)


def test_predictions_may_lack_latents_and_text(rng, targets):
    predictions = replace(make_predictions(rng), latents=None, text_tokens=None)
    found = rescale(predictions, lengths_of(targets, np.array([100, 105])))
    assert set(found.present) == {"image_tokens", "image_ids"}
    some = found.select(np.array([4, 1]))
    np.testing.assert_array_equal(some.image_ids, [12, 3])
    np.testing.assert_array_equal(some.image_tokens, found.image_tokens[[4, 1]])
    assert some.latents is None


def test_without_a_structural_branch_no_latents_are_predicted(tmp_path, config, subject, targets):
    train_one(tmp_path / "semantic", "semantic", config, subject, targets)
    model = load_model(tmp_path / "semantic" / "best.safetensors")
    found = predict_test({"semantic": model}, subject, targets)
    assert found.latents is None
    assert found.image_tokens.shape == (7, 7, 8)
