"""How the small models are trained: data, steps, rates, seeds.

The numbers are meant for two CPU cores with nothing beside, each stage within about 90 minutes; a
GPU runs the same recipe faster. `effort` multiplies the steps if there is more time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from havir_lib.mini.fit import Schedule

WHICH = ("vae", "clip", "unet", "decoded", "decoder", "reader")


@dataclass(frozen=True)
class Recipe:
    """Training scenes and one schedule per stage.

    `decoded` goes on with the UNet, with targets as decoders read them; `decoder` goes on with the
    VAE's decoder, half with latents that the UNet denoised.
    """

    n_scenes: int = 32768
    n_twins: int = 12288
    vae: Schedule = Schedule(
        steps=4000, batch_size=4, learning_rate=2e-3, muon_rate=4e-3, decay=0.5, ema=0.995
    )
    clip: Schedule = Schedule(
        steps=1400,
        batch_size=128,
        learning_rate=1.5e-3,
        muon_rate=3e-3,
        decay=0.4,
        ema=0.99,
        weight_decay=0.05,
    )
    unet: Schedule = Schedule(
        steps=3000, batch_size=32, learning_rate=1e-3, muon_rate=3e-3, decay=0.4, ema=0.998
    )
    decoded: Schedule = Schedule(
        steps=4000, batch_size=16, learning_rate=1e-3, muon_rate=3e-3, decay=0.6, ema=0.998, seed=1
    )

    n_scenes_denoised: int = 4096
    decoder: Schedule = Schedule(
        steps=1500, batch_size=4, learning_rate=2e-3, muon_rate=4e-3, decay=0.6, ema=0.99, seed=2
    )

    def schedule(self, which: str, effort: float = 1.0, steps: int | None = None) -> Schedule:
        """Schedule of one model, with more or fewer steps if asked for."""
        own: Schedule = getattr(self, which)
        return replace(own, steps=steps or max(1, round(own.steps * effort)))
