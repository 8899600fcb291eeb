"""The training loop of both branches.

Interrupted at any moment, kill -9 included, a run continues from its last checkpoint and ends with
the same weights, byte for byte on a CPU: the random numbers of a step (repeats, captions, dropout)
are seeded by the step's number, and the order of images by the epoch's, so weights, optimiser and
position are the whole state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.optim import AdamW
from torch.optim.lr_scheduler import OneCycleLR
from tqdm.auto import tqdm

from havir_lib.config import Fit
from havir_lib.models.build import Model, seeded
from havir_lib.training.data import Batch, TrainingSet, split_images
from havir_lib.training.state import TrainingState

Loss = Callable[[object, tuple[Tensor, ...]], dict[str, Tensor]]


def train(
    folder: Path,
    model: Model,
    data: TrainingSet,
    loss: Loss,
    fit: Fit,
    *,
    seed: int = 0,
    mix_repeats: bool = True,
    device: torch.device | str = "cpu",
    precision: str = "no",
    checkpoint_seconds: float = 20.0,
) -> pd.DataFrame:
    """Train `model` in `folder`, or continue there; return at once if it is already finished.

    Parameters
    ----------
    folder : Path
        Receives ``best.safetensors`` (lowest validation loss), ``last.safetensors``,
        ``history.csv`` and, while the run is under way, ``resume.safetensors``.
    model : StructuralGenerator or SemanticExtractor
        Starting weights. Parameters with ``requires_grad`` false stay as they are.
    data : TrainingSet
        A part of its images (``fit.validation_fraction``) is held out for validation.
    loss : callable
        ``loss(model output, targets)`` gives named terms, of which ``"loss"`` is minimised.
    precision : {"no", "bf16"}
        ``"bf16"`` computes activations in bfloat16.
    checkpoint_seconds : float
        Time between checkpoints; decides how much work a crash costs, not the result.

    Returns
    -------
    DataFrame
        One row per epoch: learning rate, training and validation terms.

    Raises
    ------
    WeightsError
        If `folder` holds a run with another architecture or other settings.
    HavirError
        If the loss is no longer finite.
    """
    device = torch.device(device)
    model.to(device)
    fitted, held_out = split_images(len(data), fit.validation_fraction, seed)
    n_steps = steps_per_epoch(fit, len(fitted))
    optimizer, schedule = _optimizer(model, fit, n_steps)
    settings = {"fit": fit.model_dump(), "seed": seed, "images": len(data), "mix": mix_repeats}
    state = TrainingState(Path(folder), model, optimizer, schedule, settings)
    if state.is_finished():
        return state.history
    state.restore()
    data = data.to(device)
    saved = time.monotonic()
    with seeded(seed), _bar(model.branch, fit.epochs * n_steps, state.step) as bar:
        for step in range(state.step, fit.epochs * n_steps):
            epoch, position = divmod(step, n_steps)
            images = _order(fitted, seed, epoch)[position * fit.batch_size :][: fit.batch_size]
            torch.manual_seed(_seed(seed, 1, step))
            betas, targets = _to(device, data.draw(images, mix_repeats))
            model.train()
            terms = loss(_predict(model, betas, precision), targets)
            terms["loss"].backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad()
            state.end_step(terms)
            if position == n_steps - 1:
                state.end_epoch(validate(model, data, held_out, loss, fit.batch_size, precision))
                bar.set_postfix(state.latest("val_loss"))
            if time.monotonic() - saved >= checkpoint_seconds:
                state.save()
                saved = time.monotonic()
            bar.update()
    state.finish()
    return state.history


@torch.no_grad()
def validate(
    model: torch.nn.Module,
    data: TrainingSet,
    images: Tensor,
    loss: Loss,
    batch_size: int,
    precision: str = "no",
) -> dict[str, float]:
    """Mean of the loss terms over held-out `images`, with repeats and captions averaged."""
    model.eval()
    device = next(model.parameters()).device
    totals: dict[str, float] = {}
    for part in images.split(batch_size):
        betas, targets = _to(device, data.mean(part))
        for name, value in loss(_predict(model, betas, precision), targets).items():
            totals[name] = totals.get(name, 0.0) + value.item() * len(part) / len(images)
    return totals


def steps_per_epoch(fit: Fit, n_fitted: int) -> int:
    """Full batches of the images trained on; those left over differ from epoch to epoch."""
    return max(1, n_fitted // fit.batch_size)


def _predict(model: torch.nn.Module, betas: Tensor, precision: str) -> Tensor | tuple[Tensor, ...]:
    """The model's output in float32, whatever it was computed in."""
    with torch.autocast(betas.device.type, torch.bfloat16, enabled=precision == "bf16"):
        output = model(betas)
    return output.float() if isinstance(output, Tensor) else tuple(x.float() for x in output)


def _optimizer(model: Model, fit: Fit, n_steps: int) -> tuple[AdamW, OneCycleLR]:
    """AdamW and one-cycle schedule as in MindEye's and MindBridge's code.

    No weight decay on biases and norms; two epochs of warm-up, at most 30 % of the run.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": fit.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    optimizer = AdamW(groups, lr=fit.learning_rate, fused=True)
    schedule = OneCycleLR(
        optimizer,
        max_lr=fit.learning_rate,
        total_steps=fit.epochs * n_steps + 1,
        pct_start=min(0.3, 2 / fit.epochs),
        final_div_factor=1000,
    )
    return optimizer, schedule


def _seed(*parts: int) -> int:
    return int(np.random.SeedSequence(parts).generate_state(1)[0])


def _order(images: Tensor, seed: int, epoch: int) -> Tensor:
    generator = torch.Generator().manual_seed(_seed(seed, 0, epoch))
    return images[torch.randperm(len(images), generator=generator)]


def _to(device: torch.device, batch: Batch) -> Batch:
    betas, targets = batch
    return betas.to(device), tuple(target.to(device) for target in targets)


def _bar(branch: str, total: int, done: int) -> tqdm:
    return tqdm(total=total, initial=done, desc=f"{branch} branch", unit="step", mininterval=1)
