"""One training loop for the three small models: seeded, checkpointed, resumable at any step.

Everything random in a step comes from (seed, step), so a run that was killed and resumed ends with
the same weights as one that was not.
"""

from __future__ import annotations

import contextlib
import csv
import logging
import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from havir_lib.devices import has_bfloat16
from havir_lib.errors import WeightsError
from havir_lib.io import atomic_write
from havir_lib.mini.muon import Muon

log = logging.getLogger(__name__)

EDGES = re.compile(
    r"(^|\.)(conv_in|conv_out|quant_conv|post_quant_conv|visual\.conv1|\w*embedding\w*|\w*head)\b"
)
"""Parameters that stay with AdamW although they are matrices."""

TOKENS = re.compile(r"\battn2\.to_[kv]\b")
TOKENS_SCALE = 8.0
"""Keys and values of tokens learn faster: an element of a token, about 0.08, is a tenth of what
other layers see, so that steps of the usual size would teach the UNet little about its guidance."""


@dataclass(frozen=True)
class Schedule:
    """How one model is trained.

    Attributes
    ----------
    steps, batch_size : int
    learning_rate, muon_rate : float
        Peaks for AdamW and Muon; reached after `warmup` steps, kept, and brought to zero over the
        last `decay` of all steps. Being flat in between, they let `steps` change when resuming.
    weight_decay : float
        Of matrices and convolutions; biases, norms and embeddings have none.
    ema : float
        Decay per step of the averaged weights, which are the ones shipped.
    seed : int
    """

    steps: int
    batch_size: int
    learning_rate: float = 1e-3
    muon_rate: float = 3e-3
    warmup: int = 40
    decay: float = 0.3
    weight_decay: float = 0.01
    ema: float = 0.99
    seed: int = 0

    def rates(self, step: int) -> tuple[float, float]:
        """Learning rates of Muon and AdamW at a step, counted from 0."""
        cooling = (self.steps - step) / max(self.decay * self.steps, 1)
        share = min(1.0, (step + 1) / self.warmup, cooling)
        return self.muon_rate * share, self.learning_rate * share


class Draw:
    """Random numbers of one step, for NumPy (`numpy`) and for torch (`torch`, on the CPU)."""

    def __init__(self, seed: int, step: int) -> None:
        self.numpy = np.random.default_rng([seed, step])
        self.torch = torch.Generator().manual_seed(int(self.numpy.integers(2**62)))


Loss = Callable[[Draw], dict[str, Tensor]]


def fit(
    model: nn.Module,
    loss: Loss,
    schedule: Schedule,
    folder: Path,
    *,
    minutes: float | None = None,
    resume: bool = True,
    checkpoint_seconds: float = 60.0,
) -> bool:
    """Train `model` in place and give it its averaged weights.

    Parameters
    ----------
    model : nn.Module
        On the device it is to be trained on.
    loss : callable
        ``loss(draw)`` draws a batch and returns named losses; that named ``"loss"`` is minimised.
    schedule : Schedule
    folder : Path
        Holds ``checkpoint.pt`` and ``log.csv``.
    minutes : float, optional
        Stop after this long, even if steps remain; the checkpoint lets a later call go on.
    resume : bool
        Whether to go on from the checkpoint, if there is one.
    checkpoint_seconds : float
        Time between checkpoints.

    Returns
    -------
    bool
        Whether all steps are done.
    """
    folder.mkdir(parents=True, exist_ok=True)
    optimisers = make_optimisers(model, schedule)
    average = {name: x.detach().clone() for name, x in model.state_dict().items()}
    first = _load(folder / "checkpoint.pt", model, optimisers, average) if resume else 0
    done = first
    start = saved = time.monotonic()
    rows: list[dict[str, float]] = []
    model.train()
    for step in tqdm(range(first, schedule.steps), initial=first, total=schedule.steps):
        values = train_step(model, optimisers, loss, schedule, step)
        done = step + 1
        _update(average, model, min(schedule.ema, (step + 1) / (step + 10)))
        rows.append({"step": step, **values})
        now = time.monotonic()
        out_of_time = minutes is not None and now - start > 60 * minutes
        if now - saved > checkpoint_seconds or done == schedule.steps or out_of_time:
            _save(folder, done, model, optimisers, average, rows, now - start)
            start, saved, rows = start, now, []
        if out_of_time:
            log.info("stopped after %.1f minutes at step %d", minutes, done)
            break
    model.load_state_dict(average)
    model.eval()
    return done == schedule.steps


def make_optimisers(model: nn.Module, schedule: Schedule) -> list[torch.optim.Optimizer]:
    """Muon for inner matrices and convolutions, AdamW for everything else.

    Inputs, outputs and embeddings are not Muon's: their rows stand for separate things (pixels,
    channels, words) rather than directions of one space.
    """
    groups: dict[str, list[nn.Parameter]] = {"inner": [], "tokens": [], "rest": []}
    for name, p in model.named_parameters():
        if p.requires_grad:
            inner = p.ndim > 1 and not EDGES.search(name)
            tokens = inner and TOKENS.search(name)
            groups["tokens" if tokens else "inner" if inner else "rest"].append(p)
    muon = [
        {"params": groups["inner"], "scale": 1.0},
        {"params": groups["tokens"], "scale": TOKENS_SCALE},
    ]
    return [
        Muon([group for group in muon if group["params"]], weight_decay=schedule.weight_decay),
        torch.optim.AdamW(groups["rest"], betas=(0.9, 0.98), weight_decay=0.0, fused=True),
    ]


def train_step(
    model: nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    loss: Loss,
    schedule: Schedule,
    step: int,
) -> dict[str, float]:
    """One update; returns the step's losses.

    Raises
    ------
    WeightsError
        If the loss is no longer a finite number.
    """
    with _quick_attention(model):
        losses = loss(Draw(schedule.seed, step))
        losses["loss"].backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optimiser, rate in zip(optimisers, schedule.rates(step), strict=True):
        for group in optimiser.param_groups:
            group["lr"] = rate * group.get("scale", 1.0)
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    values = {name: float(value.detach()) for name, value in losses.items()}
    if not math.isfinite(values["loss"]):
        raise WeightsError(
            f"The loss became {values['loss']} at step {step}; expected a finite number. "
            "Lower the learning rate in havir_lib/mini/recipe.py."
        )
    return values


def _quick_attention(model: nn.Module) -> contextlib.AbstractContextManager:
    # On a CPU the fused attention's backward pass takes three times as long as the plain one in
    # bfloat16, and four fifths of it in float32.
    device = next(model.parameters()).device
    slow = device.type == "cpu" and has_bfloat16(device)
    return sdpa_kernel(SDPBackend.MATH) if slow else contextlib.nullcontext()


@torch.no_grad()
def _update(average: dict[str, Tensor], model: nn.Module, decay: float) -> None:
    for name, x in model.state_dict().items():
        if x.is_floating_point():
            average[name].lerp_(x, 1 - decay)
        else:
            average[name].copy_(x)


def _load(
    path: Path,
    model: nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    average: dict[str, Tensor],
) -> int:
    if not path.is_file():
        return 0
    device = next(model.parameters()).device
    state = torch.load(path, map_location=device, weights_only=True)
    model.load_state_dict(state["model"])
    for optimiser, own in zip(optimisers, state["optimisers"], strict=True):
        optimiser.load_state_dict(own)
    average.update(state["average"])
    log.info("resuming at step %d from %s", state["step"], path)
    return state["step"]


def _save(
    folder: Path,
    step: int,
    model: nn.Module,
    optimisers: Sequence[torch.optim.Optimizer],
    average: dict[str, Tensor],
    rows: Iterable[dict[str, float]],
    seconds: float,
) -> None:
    state = {
        "step": step,
        "model": model.state_dict(),
        "optimisers": [optimiser.state_dict() for optimiser in optimisers],
        "average": average,
    }
    with atomic_write(folder / "checkpoint.pt") as temporary:
        torch.save(state, temporary)
    _log(folder / "log.csv", list(rows), seconds)


def _log(path: Path, rows: list[dict[str, float]], seconds: float) -> None:
    if not rows:
        return
    mean = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    mean |= {"step": rows[-1]["step"] + 1, "seconds": round(seconds, 1)}
    new = not path.is_file()
    with open(path, "a", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(mean))
        if new:
            writer.writeheader()
        writer.writerow({name: round(value, 6) for name, value in mean.items()})
