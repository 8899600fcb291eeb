"""The diffusion model as the rest of the companion uses it: images to latents and back.

Shape words: n images, C latent channels, h w latent grid, H W pixels.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor
from tqdm.auto import tqdm

from havir_lib.devices import as_tensor
from havir_lib.diffusion.guidance import DualGuidedUNet
from havir_lib.diffusion.inputs import Inputs, conditions, decode_only, latents_input
from havir_lib.diffusion.sampler import Sampling, sample
from havir_lib.diffusion.tensors import read_config
from havir_lib.diffusion.weights import load_dual_unet
from havir_lib.errors import DataError
from havir_lib.targets.vae import load_vae


@dataclass(frozen=True)
class DualGuidedDiffusion:
    """A dual-guided UNet with its VAE and noise schedule.

    Attributes
    ----------
    unet : DualGuidedUNet
    vae : AutoencoderKL
    scheduler_config : dict
        Noise schedule, as read from ``scheduler/scheduler_config.json``.
    device : torch.device
    dtype : torch.dtype
        Of weights and network arithmetic; samplers always compute in float32.
    """

    unet: DualGuidedUNet
    vae: AutoencoderKL
    scheduler_config: dict
    device: torch.device
    dtype: torch.dtype

    @torch.inference_mode()
    def encode(self, images: np.ndarray | Tensor, batch_size: int = 16) -> np.ndarray:
        """Latents of images: the mode of the VAE's posterior times its ``scaling_factor``.

        Parameters
        ----------
        images : array, uint8, shape (n, H, W, 3)

        Returns
        -------
        ndarray, float32, shape (n, C, h, w)
        """
        scale = self.vae.config.scaling_factor
        latents = [
            self.vae.encode(self._pixels(part)).latent_dist.mode().float().cpu() * scale
            for part in as_tensor(images).split(batch_size)
        ]
        return torch.cat(latents).numpy()

    def _pixels(self, images: Tensor) -> Tensor:
        pixels = images.to(self.device).permute(0, 3, 1, 2).to(self.dtype)
        return pixels / 127.5 - 1  # 0..255 -> -1..1

    @torch.inference_mode()
    def decode(self, latents: np.ndarray | Tensor, batch_size: int = 16) -> np.ndarray:
        """Images of latents (Eq. 10).

        Parameters
        ----------
        latents : array, shape (n, C, h, w)

        Returns
        -------
        ndarray, uint8, shape (n, H, W, 3)
        """
        images = [
            self._decode_batch(part.to(self.device, self.dtype))
            for part in as_tensor(latents).split(batch_size)
        ]
        return torch.cat(images).numpy()

    def _decode_batch(self, latents: Tensor) -> Tensor:
        pixels = self.vae.decode(latents / self.vae.config.scaling_factor).sample.float()
        if not pixels.isfinite().all():
            raise DataError(
                "Decoded images hold values that are not finite. "
                "If the precision is float16, use bfloat16 or float32, which overflow later."
            )
        pixels = ((pixels + 1) * 127.5).round().clamp(0, 255)  # -1..1 -> 0..255
        return pixels.permute(0, 2, 3, 1).to(torch.uint8).cpu()

    def reconstruct(
        self,
        latents: np.ndarray | Tensor | None,
        image_tokens: np.ndarray | Tensor | None,
        text_tokens: np.ndarray | Tensor | None,
        *,
        seeds: Sequence[int],
        steps: int = 20,
        strength: float = 0.85,
        strength_convention: str = "noise",
        guidance_scale: float = 3.5,
        mixing: float = 0.5,
        scheduler: str = "unipc",
        final_sigmas_type: str = "zero",
        batch_size: int = 16,
        use_latent: bool = True,
        use_image: bool = True,
        use_text: bool = True,
        unguided: str = "decode",
        null_image_tokens: np.ndarray | Tensor | None = None,
        null_text_tokens: np.ndarray | Tensor | None = None,
        progress: bool = True,
    ) -> np.ndarray:
        """Images from predicted latents and CLIP tokens (section III-C, Eqs. 7 to 10).

        Parameters
        ----------
        latents : array, shape (n, C, h, w)
            Predicted VAE latents z', scaled as by :meth:`encode`.
        image_tokens, text_tokens : arrays, shape (n, Ti, D) and (n, Tt, D)
            Predicted CLIP tokens e'_img and e'_cap.
        seeds : sequence of int, length n
            One per image. All noise of image i comes from a generator seeded with ``seeds[i]``, so
            it is the same whatever the batch size, the order or the device.
        steps : int
            N, length of the schedule.
        strength, strength_convention : float, {"noise", "structure"}
            Where denoising starts, see :mod:`havir_lib.diffusion.schedule`.
        guidance_scale : float
            Of classifier-free guidance; 1 switches it off and halves the work.
        mixing : float
            Weight of text against image, 0 to 1; 0 and 1 leave a branch out.
        scheduler : {"ddpm", "ddim", "unipc", "dpmsolver++"}
            Update rule; ``"ddpm"`` is the paper's Eq. (9).
        final_sigmas_type : {"zero", "sigma_min"}
            Noise level after the last step, see
            :func:`havir_lib.diffusion.schedule.make_scheduler`.
        use_latent, use_image, use_text : bool
            The paper's ablations. What is switched off is not computed, its argument may be None,
            and a kind of tokens left alone has all the weight. Without latents, denoising starts
            from pure noise and runs all steps.
        unguided : {"decode", "denoise"}
            What to do without any tokens ("only z'"). ``"decode"`` decodes the latents as they are:
            the paper describes this configuration as the latent that the VAE's decoder "restores as
            a predicted image", and nothing in it comes from diffusion. ``"denoise"`` runs the
            diffusion model on null tokens, which adds its knowledge of images in general.
        null_image_tokens, null_text_tokens : arrays, shape (Ti, D) and (Tt, D), optional
            The unconditional side of guidance. Default zeros, as in the code of MindEye and
            MindBridge; Brain-Diffuser uses the tokens of a black image and of an empty caption.
        progress : bool
            Show a progress bar with the remaining time.

        Returns
        -------
        ndarray, uint8, shape (n, H, W, 3)

        Raises
        ------
        ShapeError
            If an input does not have one row per seed, or does not fit the model.
        ConfigError
            If an option is out of range, or nothing is left to reconstruct from.
        DataError
            If inputs or decoded images hold values that are not finite.
        """
        place = (steps, strength, strength_convention)
        sampling = Sampling(*place, guidance_scale, mixing, scheduler, final_sigmas_type)
        z = latents_input(latents, len(seeds), self.unet.latent_shape, use_latent)
        if not (use_image or use_text):
            if decode_only(unguided, z):
                return self.decode(z, batch_size)
            sampling = replace(sampling, guidance_scale=1.0)
        image, text = conditions(
            self.unet,
            (image_tokens, text_tokens),
            (null_image_tokens, null_text_tokens),
            (use_image, use_text),
            len(seeds),
        )
        inputs = Inputs(z, image, text, seeds, self.unet.latent_shape)
        return self._sample(inputs, sampling, batch_size, progress)

    @torch.inference_mode()
    def _sample(
        self, inputs: Inputs, sampling: Sampling, batch_size: int, progress: bool
    ) -> np.ndarray:
        n_batches = math.ceil(len(inputs.seeds) / batch_size)
        total = n_batches * sampling.n_run(inputs.latents is not None)
        images = []
        with tqdm(total=total, desc="denoising", unit="step", disable=not progress) as bar:
            for batch in inputs.batches(batch_size, self.device):
                latents = sample(self.unet, self.scheduler_config, sampling, batch, bar.update)
                images.append(self._decode_batch(latents.to(self.dtype)))
        return torch.cat(images).numpy()


def load_diffusion(
    path: Path | str,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> DualGuidedDiffusion:
    """Read a folder in Versatile Diffusion's hub layout, see :mod:`havir_lib.diffusion.weights`.

    Parameters
    ----------
    path : path
        Holds ``image_unet/``, ``text_unet/``, ``vae/`` and ``scheduler/``.
    dtype : torch.dtype
        float32 or bfloat16; float16 on GPUs only.

    Raises
    ------
    WeightsError
        If a file is missing or corrupt, or tensors do not fit their configuration.
    """
    path = Path(path)
    return DualGuidedDiffusion(
        # The layout that convolutions are fastest in, on GPUs and (in float32) on CPUs.
        unet=load_dual_unet(path, device, dtype).to(memory_format=torch.channels_last),
        vae=load_vae(path, device, dtype).to(memory_format=torch.channels_last),
        scheduler_config=read_config(path / "scheduler", "scheduler_config.json"),
        device=torch.device(device),
        dtype=dtype,
    )
