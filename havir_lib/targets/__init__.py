"""Training targets: VAE latents and CLIP tokens in Versatile Diffusion's scale (section III)."""

from havir_lib.targets.compute import Targets, compute_targets

__all__ = ["Targets", "compute_targets"]
