"""Equality at full width and depth, with random weights: too heavy for the tests.

1. Our sampler equals the stock Versatile Diffusion loop (repaired) on 2 images in float32. The
   latents are 16 x 16 instead of 64 x 64: convolutions, norms and attention do the same arithmetic
   at every position, so the side changes the cost and nothing else.
2. Image and text tokens of open_clip's ViT-L/14 equal transformers' classes with the same weights.

The small tests call the same functions. Exit status 0 if both hold, 1 if one does not.

    python -m benchmarks.check_full_size --folder results/full_size     11 GB of disk
    python -m benchmarks.check_full_size --folder /tmp/toy --toy        seconds
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path

import open_clip
import torch
from torch import Tensor

from benchmarks import clip_conversion
from benchmarks.replica import CLIP, FULL, TOY, Replica, Sizes, write_versatile_diffusion
from benchmarks.stock import Comparison, own_latents, repaired, stock_latents, stock_pipeline
from havir_lib.diffusion import load_diffusion
from havir_lib.targets import clip

RELATIVE = 1e-4
"""Largest difference allowed, as a share of the largest value."""
N_IMAGES, STEPS, SIDE = 2, 3, 16


def check_sampler(folder: Path, sizes: Sizes) -> bool:
    """Our final latents against the stock pipeline's, for two update rules."""
    folder = Replica(folder.resolve()).diffusion
    write_versatile_diffusion(folder, sizes)
    generator = torch.Generator().manual_seed(1)
    tokens = [torch.randn(N_IMAGES, n, sizes.token_width, generator=generator) for n in (257, 77)]
    cases = {
        name: Comparison(*tokens, [3, 1], (4, SIDE, SIDE), name, mixing, scale, STEPS)
        for name, mixing, scale in (("ddim", 0.3, 7.5), ("unipc", 0.6, 3.5))
    }
    model = load_diffusion(folder)
    n = sum(p.numel() for p in model.unet.parameters()) / 1e6
    print(f"dual-guided UNet: {n:.1f} M parameters")
    schedule = model.scheduler_config
    own = {name: _timed(f"ours, {name}", own_latents, model, x) for name, x in cases.items()}
    del model
    gc.collect()  # one of the two in memory at a time
    with repaired():
        pipeline = stock_pipeline(folder, tokens[1].shape[1], schedule)
        pipeline.remove_unused_weights()
        stock = {
            name: _timed(f"stock, {name}", stock_latents, pipeline, schedule, x)
            for name, x in cases.items()
        }
    return all([_equal(f"sampler, {name}", own[name], stock[name]) for name in cases])


@torch.no_grad()
def check_clip(sizes: Sizes) -> bool:
    """Our tokens against transformers'."""
    torch.manual_seed(2)
    model = open_clip.CLIP(**sizes.clip) if sizes.clip else open_clip.create_model(CLIP)
    model.eval()
    print(f"CLIP: {sum(p.numel() for p in model.parameters()) / 1e6:.1f} M parameters")
    size = model.visual.image_size
    size = size if isinstance(size, int) else size[0]
    images = torch.randn(N_IMAGES, 3, size, size)
    lengths = [3, model.context_length - 2]
    ids = clip_conversion.random_ids(model, lengths, torch.Generator().manual_seed(3))
    vision, text = clip_conversion.as_transformers(model, quick_gelu=True)
    pairs = {
        "image tokens": (
            clip.image_tokens(model, images),
            clip_conversion.image_tokens(vision, images),
        ),
        "text tokens": (clip.text_tokens(model, ids), clip_conversion.text_tokens(text, ids)),
    }
    return all([_equal(name, *pair) for name, pair in pairs.items()])


def _timed(what: str, function, *arguments) -> Tensor:
    start = time.monotonic()
    result = function(*arguments)
    print(f"{what}: {time.monotonic() - start:.1f} s", flush=True)
    return result


def _equal(what: str, found: Tensor, expected: Tensor) -> bool:
    difference, scale = (found - expected).abs().max().item(), expected.abs().max().item()
    fine = found.shape == expected.shape and scale > 0 and difference <= RELATIVE * scale
    print(
        f"{'equal    ' if fine else 'DIFFERENT'} {what} {tuple(found.shape)}: "
        f"largest difference {difference:.2e} of {scale:.3g} (allowed: {RELATIVE:g} of it)"
    )
    return fine


def main() -> int:
    """Run both checks."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="weights are written here")
    parser.add_argument("--toy", action="store_true", help="small widths, to try the script itself")
    given = parser.parse_args()
    sizes = TOY if given.toy else FULL
    results = [check_clip(sizes), check_sampler(given.folder, sizes)]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
