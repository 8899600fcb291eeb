"""Steps 06 to 08: from predictions to images to scores."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from havir_lib.devices import PRECISIONS
from havir_lib.diffusion import DualGuidedDiffusion, load_diffusion
from havir_lib.evaluation import score
from havir_lib.io import load_arrays, save_arrays
from havir_lib.pipeline import brains, decoding
from havir_lib.pipeline.run import Run
from havir_lib.provenance import source_digest
from havir_lib.targets.vae import diffusion_folder

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
    precision = PRECISIONS[run.config.diffusion.precision]
    return load_diffusion(diffusion_folder(run.config.weights), run.device, precision)


@lru_cache(maxsize=32)
def reconstructions(
    run: Run, name: str, method: str = "HAVIR", configuration: str = "HAVIR"
) -> Reconstructions:
    """Reconstruct every test image of a subject.

    Parameters
    ----------
    name : str
        Subject.
    method : str
        Whose predictions, see :data:`havir_lib.pipeline.decoding.METHODS`.
    configuration : str
        What is switched off, see :data:`CONFIGURATIONS`.
    """
    predicted = decoding.predictions(run, name, method)
    seeds = image_seeds(predicted.image_ids, run.config.seed)
    recipe = {
        "predictions": [predicted.latents, predicted.image_tokens, predicted.text_tokens],
        "weights": decoding.weights_digest(run),
        "sampling": run.config.diffusion,
        "configuration": CONFIGURATIONS[configuration],
        "seeds": seeds,
        "source": source_digest("diffusion"),
    }

    def build(folder):
        images = diffusion(run).reconstruct(
            predicted.latents,
            predicted.image_tokens,
            predicted.text_tokens,
            seeds=seeds,
            **_sampling(run),
            **CONFIGURATIONS[configuration],
        )
        save_arrays(folder / "images.npz", images=images, image_ids=predicted.image_ids)

    return Reconstructions(
        **load_arrays(run.cached("reconstructions", recipe, build) / "images.npz")
    )


def image_seeds(image_ids: np.ndarray, seed: int) -> list[int]:
    """One seed per image, the same in every subject, method and configuration."""
    return [int(np.random.SeedSequence([seed, int(i)]).generate_state(1)[0]) for i in image_ids]


def _sampling(run: Run) -> dict:
    return run.config.diffusion.model_dump(exclude={"precision"})


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
    truth = brains.stimuli(run).images(made.image_ids)
    frame = _scored(run, made, truth)
    return frame.assign(subject=name, method=method, configuration=configuration)


def _scored(run: Run, made: Reconstructions, truth: np.ndarray) -> pd.DataFrame:
    metrics = run.config.evaluation.metrics
    recipe = {
        "images": made.images,
        "truth": truth,
        "metrics": metrics,
        "weights": decoding.weights_digest(run),
        "source": source_digest("evaluation"),
    }

    def build(folder):
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
) -> pd.DataFrame:
    """Scores of all subjects for every combination of methods and configurations."""
    return pd.concat(
        [
            scores(run, name, method, configuration)
            for name in run.subjects
            for method in methods
            for configuration in configurations
        ],
        ignore_index=True,
    )
