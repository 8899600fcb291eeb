"""From predictions to images to scores."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from havir_lib.config import Diffusion
from havir_lib.devices import PRECISIONS
from havir_lib.evaluation import get_metrics
from havir_lib.evaluation.scoring import grouped, score_by
from havir_lib.lookup import rows_of
from havir_lib.run.methods import method_of
from havir_lib.targets.vae import diffusion_folder
from havir_lib.training import Predictions

if TYPE_CHECKING:
    from havir_lib.diffusion import DualGuidedDiffusion
    from havir_lib.run.run import Run

CONFIGURATIONS: dict[str, dict[str, bool]] = {
    "HAVIR": {},
    "only z'": {"use_image": False, "use_text": False},
    "w/o e_cap": {"use_text": False},
    "w/o e_img": {"use_image": False},
    "w/o z'": {"use_latent": False},
}
"""The paper's Table IV: the full model, and what each configuration switches off."""


def configurations(run: Run) -> tuple[str, ...]:
    """Those that a run compares: without text, none that is about text."""
    about_text = () if run.config.has_text else ("w/o e_cap", "w/o e_img")
    return tuple(name for name in CONFIGURATIONS if name not in about_text)


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

    def of(self, ids: np.ndarray) -> np.ndarray:
        """Images of these stimuli, in this order, (m, H, W, 3).

        Raises
        ------
        DataError
            If one of them was not reconstructed.
        """
        return self.images[rows_of(ids, self.image_ids, "reconstruction by this subject")]

    def where_seen(self, ids: np.ndarray) -> list[np.ndarray | None]:
        """The same one by one, None where the subject did not see the stimulus."""
        made = dict(zip(self.image_ids.tolist(), self.images, strict=True))
        return [made.get(image) for image in ids.tolist()]


def load(run: Run) -> DualGuidedDiffusion:
    """The dual-guided diffusion model of a run, on its device."""
    from havir_lib.diffusion import load_diffusion  # takes seconds to import

    precision = PRECISIONS[run.config.diffusion.precision]
    return load_diffusion(diffusion_folder(run.config.weights), run.device, precision)


def reconstructions(run: Run, name: str, method: str, configuration: str) -> Reconstructions:
    """Reconstruct every test image of a subject; see :meth:`havir_lib.run.Run.images`."""
    chosen = method_of(method)
    if chosen.shown is not None:
        ids = run.subject(name).test_images
        return Reconstructions(run.stimuli.images(chosen.shown(run, name)), ids)
    if chosen.pictures is not None:
        ids = run.subject(name).test_images
        return Reconstructions(chosen.pictures(run, name, ids), ids)
    return generate(run, run.predictions(name, method), run.config.diffusion, configuration)


def generate(
    run: Run, predicted: Predictions, sampling: Diffusion, configuration: str = "HAVIR"
) -> Reconstructions:
    """Images from predictions, by given settings of the sampler; cached."""
    from havir_lib import diffusion  # takes seconds to import

    made = run.remember(
        "reconstructions",
        draw_images,
        predicted.latents,
        predicted.image_tokens,
        predicted.text_tokens,
        image_seeds(predicted.image_ids, run.config.seed),
        sampling.model_dump(exclude={"precision"})
        | _absent(predicted)
        | CONFIGURATIONS[configuration],
        how={"load": partial(getattr, run, "diffusion")},
        given={"weights": run.weights_content, "precision": sampling.precision},
        also=(diffusion, load),
    )
    return Reconstructions(made, predicted.image_ids)


def draw_images(
    latents: np.ndarray | None,
    image_tokens: np.ndarray,
    text_tokens: np.ndarray | None,
    seeds: list[int],
    options: dict,
    load: Callable[[], DualGuidedDiffusion],
) -> np.ndarray:
    """Images, uint8 (n, H, W, 3), by the model that `load` gives."""
    return load().reconstruct(latents, image_tokens, text_tokens, seeds=seeds, **options)


def _absent(predicted: Predictions) -> dict[str, bool]:
    """Switches for what a method does not predict."""
    parts = {"use_latent": predicted.latents, "use_text": predicted.text_tokens}
    return {switch: False for switch, array in parts.items() if array is None}


def image_seeds(image_ids: np.ndarray, seed: int) -> list[int]:
    """One seed per image, the same in every subject, method and configuration."""
    return [int(np.random.SeedSequence([seed, int(i)]).generate_state(1)[0]) for i in image_ids]


def score_images(run: Run, made: Reconstructions) -> pd.DataFrame:
    """Columns image, metric, value of any set of reconstructions; cached."""
    settings = run.config.evaluation
    truth, ids = run.stimuli.images(made.image_ids), [int(i) for i in made.image_ids]
    parts = [
        run.remember(
            "scores",
            score_by,
            group,
            made.images,
            truth,
            ids,
            how={"device": run.device, "batch_size": settings.batch_size},
            given={"weights": run.weights_content},
        )
        for group in grouped(get_metrics(settings.metrics))  # another metric costs only itself
    ]
    found = pd.concat(parts, ignore_index=True)
    order = {name: rank for rank, name in enumerate(settings.metrics)}
    return found.sort_values("metric", key=lambda names: names.map(order), kind="stable",
                             ignore_index=True)  # fmt: skip
