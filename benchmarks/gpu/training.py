"""Training steps of both branches at full size, beside the peers' loop.

The peers' loop (MindBridge's trainer): trials from a loader on the CPU, targets embedded by the
frozen CLIP or VAE in every step, AdamW that updates one tensor after the other, float32 with TF32.
Ours: the same network and loss, betas on the card, targets embedded once, fused AdamW.
"""

from __future__ import annotations

import gc
import math
import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from benchmarks.bench_training_steps import VOXELS
from benchmarks.gpu.kit import Kit
from havir_lib.config import Config, Fit
from havir_lib.models.build import Model
from havir_lib.targets import Targets, clip, vae
from havir_lib.training import branch_settings
from havir_lib.training.branches import Branch, arrays_of, loss_of, new_model, target_arrays
from havir_lib.training.data import TrainingSet, make_training_set
from havir_lib.training.loop import train

PART = "training"
REPEATS = 3
STEPS = {False: (2, 12), True: (1, 3)}
"""Few and many; the difference is the steps' alone."""
PEERS_STEPS = {False: (1, 5), True: (1, 2)}
BATCH = 16
"""Images embedded at once."""
WORKERS = min(4, os.cpu_count())
RELATIVE = 2e-3
"""Largest difference of losses allowed: our targets are kept in float16."""


@dataclass(frozen=True)
class Trials(Dataset):
    """What the peers' loader reads: betas of three repeats, the picture, one of the captions.

    Attributes
    ----------
    betas : ndarray, shape (n, 3, V)
    images : ndarray of uint8, shape (n, H, W, 3)
    captions : list of str
    """

    betas: np.ndarray
    images: np.ndarray
    captions: list[str]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray, str]:
        return self.betas[index], self.images[index], self.captions[index]


class Encoders:
    """The frozen networks that make a branch's targets."""

    def __init__(self, config: Config, branch: Branch, device: torch.device) -> None:
        self.branch = branch
        if branch == "structural":
            folder = vae.diffusion_folder(config.weights)
            self.vae = vae.load_vae(folder, device)
            self.size = vae.image_size(folder, self.vae)
        else:
            self.clip = clip.load_clip(config.weights, device)

    @torch.no_grad()
    def __call__(self, images: np.ndarray, captions: list[str]) -> tuple[Tensor, ...]:
        """Targets of some images, as the branch's loss takes them."""
        if self.branch == "structural":
            return (vae.latents(self.vae, images, self.size).float(),)
        image, text = self.clip.image_tokens(images), self.clip.text_tokens(captions)
        return image.float(), text.float()


def run(kit: Kit) -> None:
    """Both branches, ours and the peers' way."""
    for branch in ("structural", "semantic"):
        config = kit.config()
        fit = branch_settings(config, branch).fit.model_copy(update={"epochs": 1})
        n_images = math.ceil(STEPS[kit.toy][1] * fit.batch_size / (1 - fit.validation_fraction))
        trials = random_trials(n_images, VOXELS[branch])
        encoders = Encoders(config, branch, kit.device)
        targets = embed(trials, encoders)
        _compare(kit, config, branch, trials, encoders, targets)
        slow = _peers(kit, config, branch, trials, encoders, targets)
        del encoders
        gc.collect()
        _ours(kit, config, branch, trials, targets, slow)


def random_trials(n: int, voxels: int) -> Trials:
    """Random betas and pictures, and captions of random words."""
    rng = np.random.default_rng(0)
    words = ["a", "man", "rides", "blue", "train", "two", "dogs", "on", "grass", "near", "water"]
    return Trials(
        rng.standard_normal((n, REPEATS, voxels), dtype="f4"),
        rng.integers(0, 256, (n, 425, 425, 3), dtype=np.uint8),
        [" ".join(rng.choice(words, 10)) for _ in range(n)],
    )


def embed(trials: Trials, encoders: Encoders) -> Targets:
    """All targets once, kept in float16 as a run keeps them."""
    parts = [
        encoders(trials.images[start : start + BATCH], trials.captions[start : start + BATCH])
        for start in range(0, len(trials), BATCH)
    ]
    arrays = [torch.cat(kind).half().cpu().numpy() for kind in zip(*parts, strict=True)]
    names = ["latents"] if encoders.branch == "structural" else ["image_tokens", "text_tokens"]
    if len(arrays) > 1:
        arrays[1] = arrays[1][:, None]  # one caption
    return Targets(np.arange(len(trials)), dict(zip(names, arrays, strict=True)).__getitem__)


def _compare(
    kit: Kit, config: Config, branch: Branch, trials: Trials, encoders: Encoders, targets: Targets
) -> None:
    """Losses of one batch with targets made in the step, and with those kept."""
    model = (
        new_model(
            branch_settings(config, branch), trials.betas.shape[-1], arrays_of(branch, targets), 0
        )
        .to(kit.device)
        .eval()
    )
    data, rows = _data(config, branch, trials, targets), torch.arange(BATCH)
    betas, kept = data.mean(rows)
    made = encoders(trials.images[:BATCH], trials.captions[:BATCH])
    with torch.no_grad():
        output = model(betas.to(kit.device))
        loss = loss_of(branch_settings(config, branch))
        ours = loss(output, tuple(x.to(kit.device) for x in kept))["loss"].item()
        peers = loss(output, made)["loss"].item()
    difference = abs(ours - peers) / abs(peers)
    note = f"loss of {BATCH} images; allowed: {RELATIVE:g}"
    kit.table.add(PART, f"{branch}, ours against the peers' loop", difference, "relative", note)
    if not difference <= RELATIVE:
        raise AssertionError(f"{branch}: our loss is {ours:.6g}, the peers' {peers:.6g}")


def _data(config: Config, branch: Branch, trials: Trials, targets: Targets) -> TrainingSet:
    ids = np.repeat(targets.image_ids, REPEATS)
    flat = trials.betas.reshape(-1, trials.betas.shape[-1])
    return make_training_set(
        flat,
        ids,
        target_arrays(branch_settings(config, branch), arrays_of(branch, targets)),
        targets.image_ids,
    )


def _peers(
    kit: Kit, config: Config, branch: Branch, trials: Trials, encoders: Encoders, targets: Targets
) -> float:
    """Images per second of the peers' loop."""
    fit = branch_settings(config, branch).fit
    model = new_model(
        branch_settings(config, branch), trials.betas.shape[-1], arrays_of(branch, targets), 0
    ).to(kit.device)
    optimizer = torch.optim.AdamW(model.parameters(), fit.learning_rate, foreach=False, fused=False)
    kit.forget_peak()
    took = [
        kit.seconds(lambda n=n: _peers_steps(kit, config, model, optimizer, trials, encoders, n))[0]
        for n in PEERS_STEPS[kit.toy]
    ]
    few, many = PEERS_STEPS[kit.toy]
    speed = _rate(fit.batch_size * (many - few), took)
    kit.table.add(PART, f"{branch}, peers' loop", speed, "images/s", f"batches of {fit.batch_size}")
    kit.add_peak(PART, f"{branch}, peers' loop")
    return speed


def _peers_steps(
    kit: Kit,
    config: Config,
    model: Model,
    optimizer: torch.optim.Optimizer,
    trials: Trials,
    encoders: Encoders,
    n_steps: int,
) -> None:
    loss, size = (
        loss_of(branch_settings(config, encoders.branch)),
        branch_settings(config, encoders.branch).fit.batch_size,
    )
    loader = DataLoader(trials, size, shuffle=True, num_workers=WORKERS, drop_last=True)
    torch.backends.cuda.matmul.allow_tf32 = True
    try:
        for _, (betas, images, captions) in zip(range(n_steps), loader, strict=False):
            mean = betas.mean(1).to(kit.device)
            terms = loss(model(mean), encoders(images.numpy(), list(captions)))
            terms["loss"].backward()
            optimizer.step()
            optimizer.zero_grad()
    finally:
        torch.backends.cuda.matmul.allow_tf32 = False


def _ours(
    kit: Kit, config: Config, branch: Branch, trials: Trials, targets: Targets, slow: float
) -> None:
    fit = branch_settings(config, branch).fit.model_copy(update={"epochs": 1})
    few, many = STEPS[kit.toy]
    for precision in ("no", "bf16"):
        kit.forget_peak()
        took = [
            _train(kit, config, branch, _first(trials, n, fit), targets, fit, precision)
            for n in (few, many)
        ]
        speed = _rate(fit.batch_size * (many - few), took)
        note = f"{speed / slow:.2f} times the peers' loop; batches of {fit.batch_size}"
        what = f"{branch}, ours, {'float32' if precision == 'no' else 'bfloat16'}"
        kit.table.add(PART, what, speed, "images/s", note)
        kit.add_peak(PART, what)


def _rate(images: int, took: Sequence[float]) -> float:
    """Images per second of the steps that the longer of two runs has more; nan if too few."""
    short, long = took
    return images / (long - short) if long > short else math.nan


def _first(trials: Trials, n_steps: int, fit: Fit) -> Trials:
    """As many trials as one epoch of `n_steps` needs."""
    n = math.ceil(n_steps * fit.batch_size / (1 - fit.validation_fraction))
    return Trials(trials.betas[:n], trials.images[:n], trials.captions[:n])


def _train(
    kit: Kit,
    config: Config,
    branch: Branch,
    trials: Trials,
    targets: Targets,
    fit: Fit,
    precision: str,
) -> float:
    """Seconds of one epoch by the loop of a run, starting and saving included."""
    some = targets.select(np.arange(len(trials)))
    data = _data(config, branch, trials, some)
    model = new_model(
        branch_settings(config, branch), trials.betas.shape[-1], arrays_of(branch, some), 0
    )
    with tempfile.TemporaryDirectory(dir=kit.folder) as folder:
        options = {"device": kit.device, "precision": precision, "checkpoint_seconds": math.inf}
        loss = loss_of(branch_settings(config, branch))
        return kit.seconds(lambda: train(Path(folder), model, data, loss, fit, **options))[0]
