"""Steps 06 to 08: from predictions to images to scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from havir_lib.config import Diffusion
from havir_lib.devices import PRECISIONS
from havir_lib.errors import ConfigError
from havir_lib.evaluation import score
from havir_lib.io import load_arrays, save_arrays
from havir_lib.pipeline import brains, decoding
from havir_lib.pipeline.run import Run
from havir_lib.provenance import source_digest
from havir_lib.targets.vae import diffusion_folder
from havir_lib.training import Predictions

if TYPE_CHECKING:
    from havir_lib.diffusion import DualGuidedDiffusion

CONFIGURATIONS: dict[str, dict[str, bool]] = {
    "HAVIR": {},
    "only z'": {"use_image": False, "use_text": False},
    "w/o e_cap": {"use_text": False},
    "w/o e_img": {"use_image": False},
    "w/o z'": {"use_latent": False},
}
"""The paper's Table IV: the full model, and what each configuration switches off."""


@dataclass(frozen=True)
class Reconstructions:
    """Images made from one subject's test betas.

    Attributes
    ----------
    images : ndarray, uint8, shape (n, H, W, 3)
    image_ids : ndarray of int, shape (n,)
        NSD ids (0-based) of the stimuli.
    """

    images: np.ndarray
    image_ids: np.ndarray


@lru_cache(maxsize=1)
def diffusion(run: Run) -> DualGuidedDiffusion:
    """The dual-guided diffusion model of this run, on its device."""
    from havir_lib.diffusion import load_diffusion  # takes seconds to import

    precision = PRECISIONS[run.config.diffusion.precision]
    return load_diffusion(diffusion_folder(run.config.weights), run.device, precision)


@lru_cache(maxsize=4)  # nearly 1 GB each with NSD's 982 images at 512 px
def reconstructions(
    run: Run, name: str, method: str = "HAVIR", configuration: str = "HAVIR"
) -> Reconstructions:
    """Reconstruct every test image of a subject.

    Parameters
    ----------
    name : str
        Subject.
    method : str
        Whose predictions, see :data:`havir_lib.pipeline.decoding.METHODS`. What a method does not
        predict is switched off; a method that shows training images is not run through diffusion.
    configuration : str
        What is switched off, see :data:`CONFIGURATIONS`.
    """
    chosen = decoding.METHODS[method]
    if chosen.shown is not None:
        ids = brains.subject(run, name).test_images
        return Reconstructions(brains.stimuli(run).images(chosen.shown(run, name)), ids)
    predicted = decoding.predictions(run, name, method)
    return generate(run, predicted, run.config.diffusion, configuration)


def generate(
    run: Run, predicted: Predictions, sampling: Diffusion, configuration: str = "HAVIR"
) -> Reconstructions:
    """Images from predictions, by given settings of the sampler; cached."""
    seeds = image_seeds(predicted.image_ids, run.config.seed)
    switches = _absent(predicted) | CONFIGURATIONS[configuration]
    parts = [predicted.latents, predicted.image_tokens, predicted.text_tokens]
    recipe = {
        "predictions": parts,
        "weights": decoding.weights_digest(run),
        "sampling": sampling,
        "configuration": switches,
        "seeds": seeds,
        "source": source_digest("diffusion"),
    }

    def build(folder: Path) -> None:
        options = sampling.model_dump(exclude={"precision"}) | switches
        images = diffusion(run).reconstruct(*parts, seeds=seeds, **options)
        save_arrays(folder / "images.npz", images=images, image_ids=predicted.image_ids)

    return Reconstructions(
        **load_arrays(run.cached("reconstructions", recipe, build) / "images.npz")
    )


def _absent(predicted: Predictions) -> dict[str, bool]:
    """Switches for what a method does not predict."""
    parts = {"use_latent": predicted.latents, "use_text": predicted.text_tokens}
    return {switch: False for switch, array in parts.items() if array is None}


def image_seeds(image_ids: np.ndarray, seed: int) -> list[int]:
    """One seed per image, the same in every subject, method and configuration."""
    return [int(np.random.SeedSequence([seed, int(i)]).generate_state(1)[0]) for i in image_ids]


@lru_cache(maxsize=256)  # every table asks again, and finding them hashes all pictures
def scores(
    run: Run, name: str, method: str = "HAVIR", configuration: str = "HAVIR"
) -> pd.DataFrame:
    """Score a subject's reconstructions, image by image.

    Returns
    -------
    DataFrame
        Columns subject, method, configuration, image, metric, value.
    """
    made = reconstructions(run, name, method, configuration)
    return score_images(run, made).assign(subject=name, method=method, configuration=configuration)


def score_images(run: Run, made: Reconstructions) -> pd.DataFrame:
    """Columns image, metric, value of any set of reconstructions; cached."""
    metrics = run.config.evaluation.metrics
    truth = brains.stimuli(run).images(made.image_ids)
    recipe = {
        "images": made.images,
        "truth": truth,
        "metrics": metrics,
        "weights": decoding.weights_digest(run),
        "source": source_digest("evaluation"),
    }

    def build(folder: Path) -> None:
        frame = score(
            made.images,
            truth,
            metrics,
            image_ids=made.image_ids,
            device=run.device,
            batch_size=run.config.evaluation.batch_size,
        )
        frame.to_csv(folder / "scores.csv", index=False)

    return pd.read_csv(run.cached("scores", recipe, build) / "scores.csv")


def all_scores(
    run: Run,
    methods: tuple[str, ...] = ("HAVIR",),
    configurations: tuple[str, ...] = ("HAVIR",),
    subjects: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Scores of all `subjects`, methods and configurations; default: every subject of the run."""
    return pd.concat(
        [
            scores(run, name, method, configuration)
            for name in subjects or run.subjects
            for method in methods
            for configuration in configurations
        ],
        ignore_index=True,
    )


def ablation_scores(run: Run) -> pd.DataFrame:
    """Scores of every configuration, of all subjects or of ``comparison.ablation_subjects``.

    Raises
    ------
    ConfigError
        If one of those subjects is not in the run.
    """
    settings = run.config.comparison
    chosen = None if settings.full else settings.ablation_subjects
    if unknown := set(chosen or ()) - set(run.subjects):
        raise ConfigError(
            f"comparison.ablation_subjects names {sorted(unknown)}, but this run has only "
            f"{run.subjects}. Name some of those, or set it to null for all."
        )
    return all_scores(run, configurations=tuple(CONFIGURATIONS), subjects=chosen)
