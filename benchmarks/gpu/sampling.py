"""The sampler at full size beside the peers' loop.

The peers' loop (MindEye's and MindBridge's, which follow the stock pipeline): float16, one image
after the other. Here it is the stock pipeline itself. Same scheduler, steps, guidance and mixing;
both start from pure noise and end with latents.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.gpu.kit import Kit
from benchmarks.stock import Comparison, own_latents, repaired, stock_latents, stock_pipeline
from havir_lib.diffusion import DualGuidedDiffusion, load_diffusion
from havir_lib.diffusion.weights import read_config

PART = "sampler"
STEPS = {False: 20, True: 3}
"""Of the sampler, at full size and of a toy."""
BATCHES = {False: (1, 2, 4, 8, 16, 32), True: (1, 2)}
CHECKED = 2
"""Images compared."""
CHECK_STEPS = 3
RELATIVE = 1e-3
"""Largest difference allowed in float32, as a share of the largest value."""


def run(kit: Kit) -> None:
    """Rate of the device, equality, then images per second."""
    rate = kit.matrix_rate()
    kit.table.add(PART, f"product of {kit.precisions[1]} matrices", rate / 1e12, "TFLOP/s")
    reference = peers(kit)
    gc.collect()  # one of the two in memory at a time
    ours(kit, rate, reference)


def given(kit: Kit, n: int, steps: int) -> Comparison:
    """Random tokens of `n` images."""
    generator = torch.Generator().manual_seed(1)
    widths = [(n, count, kit.sizes.token_width) for count in (257, 77)]
    tokens = [torch.randn(*shape, generator=generator) for shape in widths]
    side = kit.sizes.side
    return Comparison(*tokens, list(range(n)), (4, side, side), steps=steps)


@torch.inference_mode()
def peers(kit: Kit) -> dict[str, Tensor]:
    """The stock pipeline: latents in float32 and in the peers' precision, and its speed."""
    folder, steps = kit.replica.diffusion, STEPS[kit.toy]
    schedule = read_config(folder / "scheduler", "scheduler_config.json")
    few, one = given(kit, CHECKED, CHECK_STEPS), given(kit, 1, steps)
    with repaired(), exact():
        pipeline = stock_pipeline(folder, few.text.shape[1], schedule)
        pipeline.remove_unused_weights()
        pipeline.to(kit.device)
        found = {"float32": stock_latents(pipeline, schedule, few).cpu()}
    with repaired():
        pipeline.to(dtype=kit.precisions[0])
        kit.forget_peak()
        found["peers"] = stock_latents(pipeline, schedule, few).cpu()  # also warms up
        stock_latents(pipeline, schedule, given(kit, 1, 2))
        seconds, _ = kit.seconds(lambda: stock_latents(pipeline, schedule, one))
    what = f"peers' loop, {kit.precisions[0]}, one image at a time"
    kit.table.add(PART, what, 1 / seconds, "images/s", f"{steps} steps, latents only")
    kit.add_peak(PART, what)
    found["seconds"] = torch.tensor(seconds)
    return found


def ours(kit: Kit, rate: float, reference: dict[str, Tensor]) -> None:
    """Our sampler: compared first, then timed with several batch sizes."""
    few, steps = given(kit, CHECKED, CHECK_STEPS), STEPS[kit.toy]
    with exact():
        model = load_diffusion(kit.replica.diffusion, kit.device)
        found = own_latents(model, few).cpu()
    _compare(kit, found, reference["float32"])
    del model
    gc.collect()
    model = load_diffusion(kit.replica.diffusion, kit.device, kit.precisions[1])
    for name, latents in (("ours", own_latents(model, few).cpu()), ("peers", reference["peers"])):
        what = f"{name}, {kit.precisions[name == 'ours']} against float32"
        kit.table.add(PART, what, _rms(latents, reference["float32"]), "relative RMS difference")
    flops = _flops(kit, model)
    kit.table.add(PART, "operations per image and step", flops / 1e12, "TFLOP")
    for n in BATCHES[kit.toy]:
        _time(kit, model, n, steps, flops / rate, float(reference["seconds"]))


def _time(
    kit: Kit, model: DualGuidedDiffusion, n: int, steps: int, ideal: float, peers: float
) -> None:
    kit.forget_peak()
    own_latents(model, given(kit, n, 2))
    seconds, _ = kit.seconds(lambda: own_latents(model, given(kit, n, steps)))
    what = f"ours, {kit.precisions[1]}, batches of {n}"
    faster = f"{peers * n / seconds:.2f} times the peers' loop"
    kit.table.add(PART, what, n / seconds, "images/s", f"{faster}; {steps} steps, latents only")
    share = ideal * steps * n / seconds
    kit.table.add(PART, f"{what}, share of the matrix product's rate", share)
    kit.add_peak(PART, what)
    latents = torch.randn(n, 4, kit.sizes.side, kit.sizes.side)
    decode, _ = kit.seconds(lambda: model.decode(latents, n))
    kit.table.add(PART, f"{what}, decoding by the VAE", decode / n, "s/image")


def _flops(kit: Kit, model: DualGuidedDiffusion) -> float:
    """Of one image and one step of the sampler, guidance included."""
    n_steps = 2
    with FlopCounterMode(display=False) as counter:
        own_latents(model, given(kit, 1, n_steps))
    return counter.get_total_flops() / n_steps


def _compare(kit: Kit, found: Tensor, expected: Tensor) -> None:
    largest = expected.abs().max().item()
    difference = (found - expected).abs().max().item() / largest
    note = f"{CHECKED} images, {CHECK_STEPS} steps, float32; allowed: {RELATIVE:g}"
    kit.table.add(PART, "ours against the stock pipeline", difference, "of the largest value", note)
    if not difference <= RELATIVE:
        raise AssertionError(f"our latents differ from the stock pipeline's by {difference:.2g}")


def _rms(found: Tensor, expected: Tensor) -> float:
    difference = (found.float() - expected).square().mean() / expected.square().mean()
    return difference.sqrt().item()


@contextmanager
def exact() -> Iterator[None]:
    """Inside the block, float32 is float32 on a card, too."""
    flags = [(torch.backends.cuda.matmul, "allow_tf32"), (torch.backends.cudnn, "allow_tf32")]
    before = [getattr(module, name) for module, name in flags]
    for module, name in flags:
        setattr(module, name, False)
    try:
        yield
    finally:
        for (module, name), value in zip(flags, before, strict=True):
            setattr(module, name, value)
