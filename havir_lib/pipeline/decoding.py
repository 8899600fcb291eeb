"""Steps 03 to 05: targets, both branches, ridge, and what they predict for the test images."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from havir_lib.data.subject import average_repeats
from havir_lib.evaluation.correlation import all_correlations, paired_correlation
from havir_lib.models import fit_ridge
from havir_lib.pipeline import brains
from havir_lib.pipeline.run import Run
from havir_lib.provenance import digest, file_digest, source_digest
from havir_lib.targets import Targets, compute_targets
from havir_lib.targets.vae import diffusion_folder
from havir_lib.training import Predictions, predict_test, rescale, token_lengths, train_branch
from havir_lib.training.branches import fit_of

Branch = Literal["structural", "semantic"]
SHARED_SETTINGS = {"losses", "mixup_repeats", "captions", "precision", "transfer_layers"}


@lru_cache(maxsize=4)
def weights_digest(run: Run) -> str:
    """Hash of the diffusion model's and CLIP's weight files."""
    folder = diffusion_folder(run.config.weights)
    files = sorted([*folder.rglob("*.safetensors"), *folder.rglob("*.json")])
    return digest([run.config.weights, [file_digest(file) for file in files]])


@lru_cache(maxsize=8)
def targets(run: Run, name: str) -> Targets:
    """Latents and tokens of every image a subject was trained or tested on."""
    brain = brains.subject(run, name)
    ids = np.union1d(brain.train_images, brain.test_images)
    return compute_targets(
        run.config, brains.stimuli(run), ids, cache=run.workspace.cache, device=run.device
    )


def trained(run: Run, name: str, branch: Branch) -> Path:
    """Folder of a trained branch: from scratch for the base subject, by transfer for the others."""
    brain, target = brains.subject(run, name), targets(run, name)
    base = None if run.is_base(name) else trained(run, run.base_subject, branch)
    recipe = {
        "branch": branch,
        "betas": brain.train_betas[:, getattr(brain, branch)],
        "images": brain.train_images,
        "targets": target.key,
        "architecture": _architecture_settings(run, branch),
        "fit": fit_of(run.config, branch, transfer=base is not None),
        "training": run.config.training.model_dump(mode="json", include=SHARED_SETTINGS),
        "base": base and base.name,
        "seed": run.config.seed,
        "source": source_digest("models", "training"),
    }

    def build(folder: Path) -> None:
        train_branch(folder, branch, run.config, brain, target, base, run.device)

    return run.cached(f"trained_{branch}", recipe, build)


def history(run: Run, name: str, branch: Branch) -> pd.DataFrame:
    """Losses per epoch of a trained branch, with columns branch and subject."""
    frame = pd.read_csv(trained(run, name, branch) / "history.csv")
    return frame.assign(branch=branch, subject=name)


def _architecture_settings(run: Run, branch: Branch):
    names = {"structural": "structural_generator", "semantic": "semantic_extractor"}
    return getattr(run.config, names[branch])


@dataclass(frozen=True)
class Method:
    """Where a method's predictions come from."""

    label: str
    predict: Callable[[Run, str], Predictions]


def _network(run: Run, name: str) -> Predictions:
    return _predict_with_networks(run, name, brains.subject(run, name).test_betas)


def _shuffled(run: Run, name: str) -> Predictions:
    brain = brains.subject(run, name)
    rng = np.random.default_rng([run.config.seed, 982])
    betas = brain.test_betas.copy()
    for branch in ("structural", "semantic"):  # shuffle within a branch: same values, other voxels
        voxels = np.flatnonzero(getattr(brain, branch))
        betas[:, voxels] = betas[:, rng.permutation(voxels)]
    return _predict_with_networks(run, name, betas)


def _predict_with_networks(run: Run, name: str, betas: np.ndarray) -> Predictions:
    folders = {branch: trained(run, name, branch) for branch in ("structural", "semantic")}
    recipe = {
        "betas": betas,
        "networks": {branch: folder.name for branch, folder in folders.items()},
        "source": source_digest("models", "training"),
    }

    def build(folder: Path) -> None:
        made = predict_test(folders, brains.subject(run, name), betas, run.device)
        _full_length(run, name, made).save(folder / "predictions.npz")

    return Predictions.load(run.cached("predictions", recipe, build) / "predictions.npz")


def _ridge(run: Run, name: str) -> Predictions:
    brain, target = brains.subject(run, name), targets(run, name)
    recipe = {
        "betas": [brain.train_betas, brain.test_betas, brain.structural, brain.semantic],
        "images": brain.train_images,
        "targets": target.key,
        "ridge": run.config.ridge,
        "seed": run.config.seed,
        "source": source_digest("models"),
    }

    def build(folder: Path) -> None:
        made = _fit_and_predict_ridge(run, name)
        _full_length(run, name, made).save(folder / "predictions.npz")

    return Predictions.load(run.cached("ridge", recipe, build) / "predictions.npz")


def _fit_and_predict_ridge(run: Run, name: str) -> Predictions:
    brain, target = brains.subject(run, name), targets(run, name)
    betas, ids, _ = average_repeats(brain.train_betas, brain.train_images)
    chosen = target.select(ids)
    options = {
        **run.config.ridge.model_dump(),
        "seed": run.config.seed,
        "device": run.device if run.device.type == "cuda" else "cpu",
    }

    def decode(role: np.ndarray, wanted: np.ndarray) -> np.ndarray:
        decoder = fit_ridge(betas[:, role], wanted, **options)
        return decoder.predict(brain.test_betas[:, role])

    return Predictions(
        decode(brain.structural, chosen.latents),
        decode(brain.semantic, chosen.image_tokens),
        decode(brain.semantic, chosen.text_tokens.astype("f4").mean(axis=1)),
        brain.test_images,
    )


def _full_length(run: Run, name: str, predicted: Predictions) -> Predictions:
    train_images = np.unique(brains.subject(run, name).train_images)
    return rescale(predicted, token_lengths(targets(run, name), train_images))


def _truth(run: Run, name: str) -> Predictions:
    ids = brains.subject(run, name).test_images
    true = targets(run, name).select(ids)
    return Predictions(
        true.latents.astype("f4"),
        true.image_tokens.astype("f4"),
        true.text_tokens[:, 0].astype("f4"),
        ids,
    )


METHODS: dict[str, Method] = {
    "HAVIR": Method("HAVIR (this companion)", _network),
    "ridge": Method("Ridge regression to the same targets", _ridge),
    "true targets": Method("True targets: the upper bound", _truth),
    "shuffled voxels": Method("HAVIR with shuffled voxels: the floor", _shuffled),
}


@lru_cache(maxsize=16)
def predictions(run: Run, name: str, method: str = "HAVIR") -> Predictions:
    """What a method predicts for a subject's test images."""
    return METHODS[method].predict(run, name)


def latent_correlation(run: Run, name: str) -> pd.DataFrame:
    """Correlation of predicted and true latents per test image, averaged, for network and ridge."""
    true = predictions(run, name, "true targets").latents
    rows = {
        method: paired_correlation(flat(true), flat(predictions(run, name, method).latents))
        for method in ("HAVIR", "ridge", "shuffled voxels")
    }
    frame = pd.DataFrame(rows)
    return frame.agg(["mean", "std", "count"]).T.rename_axis("method")


def token_retrieval(run: Run, name: str) -> pd.DataFrame:
    """How often the true test image is the nearest, or among the ten nearest, by its tokens."""
    true = predictions(run, name, "true targets")
    rows = []
    for method in ("HAVIR", "ridge", "shuffled voxels"):
        predicted = predictions(run, name, method)
        for kind in ("image_tokens", "text_tokens"):
            similarity = all_correlations(flat(getattr(predicted, kind)), flat(getattr(true, kind)))
            rank = (similarity > np.diag(similarity)[:, None]).sum(axis=1)
            rows.append(
                {
                    "method": method,
                    "tokens": kind.removesuffix("_tokens"),
                    "first": (rank == 0).mean(),
                    "among first ten": (rank < 10).mean(),
                    "chance (first)": 1 / len(rank),
                    "n": len(rank),
                }
            )
    return pd.DataFrame(rows).set_index(["method", "tokens"])


def nearest_captions(run: Run, name: str, n: int = 8) -> pd.DataFrame:
    """Captions of *training* images whose text tokens are nearest to the predicted ones."""
    brain, target = brains.subject(run, name), targets(run, name)
    pool = target.select(np.unique(brain.train_images))
    predicted = predictions(run, name)
    similarity = all_correlations(
        flat(predicted.text_tokens[:n]), flat(pool.text_tokens[:, 0].astype("f4"))
    )
    store = brains.stimuli(run)
    nearest = store.captions(pool.image_ids[similarity.argmax(axis=1)])
    true = store.captions(predicted.image_ids[:n])
    return pd.DataFrame(
        {
            "shown": [captions[0] for captions in true],
            "nearest to the prediction": [captions[0] for captions in nearest],
        }
    )


def flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(len(array), -1).astype("f4")
