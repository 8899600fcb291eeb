"""What single units of the other steps cost: targets, ridge regression, scores."""

from __future__ import annotations

import gc

import numpy as np
import torch

from benchmarks.bench_training_steps import VOXELS
from benchmarks.gpu.kit import Kit
from benchmarks.gpu.training import BATCH, Encoders, embed, random_trials
from havir_lib.evaluation import score
from havir_lib.models import predict_ridge

PART = "units"
TARGET_IMAGES = {False: 64, True: 4}
RIDGE = {False: (6000, 1000, 32768), True: (120, 10, 64)}
"""Training images, test images, targets."""
SCORED = {False: 100, True: 4}
SIDES = {False: (425, 512), True: (40, 48)}
"""Of stimuli and of reconstructions."""


def run(kit: Kit) -> None:
    """One after the other."""
    targets(kit)
    ridge(kit)
    scores(kit)


def targets(kit: Kit) -> None:
    """Seconds per image of latents and of tokens, encoder loaded."""
    n = TARGET_IMAGES[kit.toy]
    trials = random_trials(n, 1)
    for branch, what in (("structural", "latents"), ("semantic", "tokens of image and caption")):
        encoders = Encoders(kit.config(), branch, kit.device)
        encoders(trials.images[:1], trials.captions[:1])
        kit.forget_peak()
        seconds, _ = kit.seconds(lambda encoders=encoders: embed(trials, encoders))
        kit.table.add(PART, f"targets, {what}", seconds / n, "s/image", f"batches of {BATCH}")
        kit.add_peak(PART, f"targets, {what}")
        del encoders
        gc.collect()


def ridge(kit: Kit) -> None:
    """Cross-validated ridge regression of many targets, predicted for test images."""
    n, n_new, n_targets = RIDGE[kit.toy]
    voxels = VOXELS["semantic"] if not kit.toy else 50
    rng = np.random.default_rng(0)
    betas, new = (rng.standard_normal((rows, voxels), dtype="f4") for rows in (n, n_new))
    y = rng.standard_normal((n, n_targets), dtype="f4")
    kit.forget_peak()
    seconds, _ = kit.seconds(lambda: predict_ridge(betas, y, new, device=kit.device))
    what = f"{n:,} images, {voxels:,} voxels, {n_targets:,} targets, 15 strengths, 5 folds"
    kit.table.add(PART, "ridge regression", seconds, "s", what)
    kit.add_peak(PART, "ridge regression")


@torch.inference_mode()
def scores(kit: Kit) -> None:
    """All metrics of the profile."""
    metrics = kit.config().evaluation.metrics
    n, rng = SCORED[kit.toy], np.random.default_rng(0)
    truth, made = (rng.integers(0, 256, (n, x, x, 3), dtype=np.uint8) for x in SIDES[kit.toy])
    device = str(kit.device)
    for metric in metrics:
        kit.forget_peak()
        seconds, _ = kit.seconds(lambda metric=metric: score(made, truth, [metric], device=device))
        what = f"score, {metric}"
        kit.table.add(PART, what, seconds, "s", f"{n} images, network loaded and stimuli included")
        kit.add_peak(PART, what)
