"""How a profile's sampler should draw, tried on images that training held out for validation.

    python -m benchmarks.choose_sampling --profile demo

A picture is the better, the less it differs from its stimulus for EfficientNet-Lite1, which scores
nothing in the demo; the sheets are for the eye. Writes ``benchmarks/sampling.csv``, and a sheet of
pictures per subject into ``--sheets``: a line per setting under the stimuli. Test images are not
looked at.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from PIL import Image

from havir_lib import open_run
from havir_lib.config import Diffusion
from havir_lib.data.subject import average_repeats
from havir_lib.evaluation.pixels import pixel_correlation
from havir_lib.io import atomic_write
from havir_lib.mini.perceptual import PerceptualLoss
from havir_lib.mini.vae import to_tensor
from havir_lib.provenance import origin
from havir_lib.run import Run
from havir_lib.run.images import draw_images, image_seeds
from havir_lib.run.targets import lengths_of
from havir_lib.training import BRANCHES, Predictions, predict_images
from havir_lib.training.data import split_images

N_IMAGES = 32
STRENGTHS = (0.4, 0.5, 0.6, 0.7)
SCALES = (1.5, 3.0, 5.0)
RUN_STEPS = 3
"""Steps that run: of those asked for, the share that the strength is."""


def held_out_predictions(run: Run, name: str) -> Predictions:
    """What a subject's networks predict for images that its training held out."""
    subject, target = run.subject(name), run.targets(name)
    betas, ids, _ = average_repeats(subject.train_betas, subject.train_images)
    fraction = run.config.training.semantic.validation_fraction
    _, held_out = split_images(len(ids), fraction, run.config.seed)
    rows = held_out.numpy()[:N_IMAGES]
    seen = {branch: betas[rows][:, getattr(subject, branch)] for branch in BRANCHES}
    models = {branch: run.model(name, branch) for branch in BRANCHES}
    return predict_images(
        models["semantic"],
        seen["semantic"],
        ids[rows],
        lengths_of(run, target, subject.train_images),
        models["structural"],
        seen["structural"],
        device=run.device,
    )


def settings(base: Diffusion) -> list[Diffusion]:
    """What is tried."""
    changes = [
        {"strength": strength, "guidance_scale": scale, "steps": round(RUN_STEPS / strength)}
        for strength, scale in product(STRENGTHS, SCALES)
    ]
    return [base.model_copy(update=change) for change in changes]


def draw(run: Run, predicted: Predictions, sampling: Diffusion) -> np.ndarray:
    """Pictures, uint8 (n, H, W, 3)."""
    return draw_images(
        predicted.latents,
        predicted.image_tokens,
        predicted.text_tokens,
        image_seeds(predicted.image_ids, run.config.seed),
        sampling.model_dump(exclude={"precision"}),
        load=lambda: run.diffusion,
    )


@torch.inference_mode()
def compare(run: Run, name: str, sheets: Path | None) -> list[dict]:
    """A row per setting for one subject."""
    predicted = held_out_predictions(run, name)
    truth = run.stimuli.images(predicted.image_ids)
    tried, differ = settings(run.config.diffusion), PerceptualLoss()
    made = [draw(run, predicted, sampling) for sampling in tried]
    if sheets is not None:
        lines = [np.concatenate(list(images[:10]), axis=1) for images in [truth, *made]]
        Image.fromarray(np.concatenate(lines)).save(sheets / f"{name}.png")
    return [
        {
            "subject": name,
            "strength": sampling.strength,
            "guidance_scale": sampling.guidance_scale,
            "steps": sampling.steps,
            "looks": float(differ(to_tensor(images), to_tensor(truth))),
            "PixCorr": pixel_correlation(truth / 255, images / 255).mean(),
            "data": origin(run.simulated),
        }
        for sampling, images in zip(tried, made, strict=True)
    ]


def main() -> None:
    """Try every setting on every subject, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profile", default="demo")
    parser.add_argument("--subjects", nargs="*", help="default: all")
    parser.add_argument("--sheets", type=Path, help="an existing folder for pictures")
    given = parser.parse_args()
    run = open_run(given.profile)
    names = given.subjects or run.subjects
    rows = [row for name in names for row in compare(run, name, given.sheets)]
    table = pd.DataFrame(rows).round(4)
    print(table.to_string(index=False))
    with atomic_write(Path(__file__).parent / "sampling.csv") as temporary:
        table.to_csv(temporary, index=False, lineterminator="\n")


if __name__ == "__main__":
    main()
