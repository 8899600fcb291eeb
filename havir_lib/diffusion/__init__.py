"""Diffusion core (section III-C): dual guidance, noised start, guided denoising, decoding."""

from havir_lib.diffusion.guidance import DualGuidedUNet
from havir_lib.diffusion.model import DualGuidedDiffusion, load_diffusion
from havir_lib.diffusion.weights import build_dual_unet, load_dual_unet, save_dual_unet

__all__ = [
    "DualGuidedDiffusion",
    "DualGuidedUNet",
    "build_dual_unet",
    "load_diffusion",
    "load_dual_unet",
    "save_dual_unet",
]
