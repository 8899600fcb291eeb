"""All targets of a set of images, computed when first asked for and kept on disk.

Latents and tokens are computed apart, each by one model: whoever trains one branch does not wait
for the targets of the other.

Shape words: n images, C latent channels, h w latent grid, Ti image tokens, Tt text tokens, D width.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm.auto import tqdm

from havir_lib import config as configuration
from havir_lib.cache.remember import Folder, remember, remember_folder
from havir_lib.cache.store import collecting, note
from havir_lib.config import Config, Weights
from havir_lib.data.stimuli import Stimuli
from havir_lib.errors import DataError, WeightsError
from havir_lib.io import read_json, write_json
from havir_lib.lookup import rows_of
from havir_lib.targets import clip, vae

log = logging.getLogger(__name__)

DONE = "done.json"
Batches = Iterator[tuple[np.ndarray, ...]]
AT_ONCE = 64  # pictures in memory
ARRAYS = {"latents": ("latents",), "tokens": ("image_tokens", "text_tokens")}
"""What is computed together, by one model, and the arrays it makes."""


@dataclass(frozen=True, eq=False)
class Targets:
    """Training targets of some images; arrays are made or read when first used.

    Attributes
    ----------
    image_ids : ndarray of int, (n,)
    read : callable
        ``read(name)`` gives the array of that name.
    """

    image_ids: np.ndarray
    read: Callable[[str], np.ndarray]

    @property
    def latents(self) -> np.ndarray:
        """VAE latents, (n, C, h, w) float16, scaled as the diffusion model expects."""
        return self.read("latents")

    @property
    def image_tokens(self) -> np.ndarray:
        """CLIP image tokens, (n, Ti, D) float16, class token first and of length 1."""
        return self.read("image_tokens")

    @property
    def text_tokens(self) -> np.ndarray:
        """CLIP text tokens, (n, n_captions, Tt, D) float16, end-of-text token of length 1."""
        return self.read("text_tokens")

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """Rows of these images in the arrays, to read no more than is needed.

        Raises
        ------
        DataError
            If one is not among them.
        """
        return target_rows(self.image_ids, ids)

    def select(self, ids: np.ndarray) -> Targets:
        """The targets of these images, in this order; errors as of :meth:`rows`."""
        rows = self.rows(ids)
        return Targets(self.image_ids[rows], lambda name: getattr(self, name)[rows])


def target_rows(target_ids: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Rows of the images `ids` among `target_ids`; errors as of :meth:`Targets.rows`."""
    advice = "Compute the targets with these images included."
    return rows_of(ids, target_ids, "targets", advice)


def compute_targets(
    config: Config,
    stimuli: Stimuli,
    image_ids: np.ndarray,
    cache: Path | None = None,
    device: torch.device | str = "cpu",
) -> Targets:
    """Targets that are encoded, or read from `cache`, when first used.

    Parameters
    ----------
    config : Config
        Sections ``weights`` and ``targets``.
    stimuli : Stimuli
    image_ids : ndarray of int, (n,)
        Ids without duplicates.
    cache : Path, optional
        Cache folder. The arrays are then memory-mapped and read-only, and an interrupted
        computation continues where it was. Their key is the content of pictures, captions and
        weights, so a copied data set is not encoded again. None: compute in memory.

    Raises
    ------
    WeightsError, DataError
        If weights are missing, or ids occur twice; when an array is first used, if weights,
        images or captions are damaged.
    """
    ids = np.asarray(image_ids)
    if n_again := len(ids) - len(np.unique(ids)):
        raise DataError(f"Expected each image id once, but {n_again} of {len(ids)} occur again.")

    @lru_cache(maxsize=len(ARRAYS))
    def arrays(kind: str) -> tuple[dict[str, np.ndarray], set[str]]:
        if cache is None:
            encode = {"latents": encode_latents, "tokens": encode_tokens}[kind]
            parts = zip(*encode(config.weights, config.targets, stimuli, ids, device), strict=True)
            return dict(zip(ARRAYS[kind], map(np.concatenate, parts), strict=True)), set()
        with collecting() as used:
            folder = _encoded(cache, kind, config, stimuli, ids, device).path
        found = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS[kind]}
        return found, used

    def read(name: str) -> np.ndarray:
        found, used = arrays(next(kind for kind, names in ARRAYS.items() if name in names))
        note(used)
        return found[name]

    return Targets(ids, read)


def _encoded(
    cache: Path,
    kind: str,
    config: Config,
    stimuli: Stimuli,
    ids: np.ndarray,
    device: torch.device | str,
) -> Folder:
    """Folder of the latents or tokens of some images; where everything is does not count."""
    places = {"weights": config.weights, "settings": config.targets, "stimuli": stimuli}
    return remember_folder(
        cache,
        kind,
        {"latents": write_latents, "tokens": write_tokens}[kind],
        how={**places, "ids": ids, "device": device},
        given={
            "pictures": picture_content(cache, stimuli, ids),
            **{"latents": _latents_content, "tokens": _tokens_content}[kind](config, stimuli, ids),
        },
    )


def _latents_content(config: Config, stimuli: Stimuli, ids: np.ndarray) -> dict[str, Any]:
    return {"vae": vae.vae_content(vae.diffusion_folder(config.weights))}


def _tokens_content(config: Config, stimuli: Stimuli, ids: np.ndarray) -> dict[str, Any]:
    return {
        "captions": stimuli.captions(ids, config.targets.captions_per_image),
        "clip": clip.clip_content(config.weights),
    }


def picture_content(cache: Path, stimuli: Stimuli, ids: np.ndarray) -> np.ndarray:
    """SHA-256 of each picture; found again while the file's size and time stay the same."""
    how = {"stimuli": stimuli, "ids": ids}
    given = {"images": ids, "file": stimuli.pictures_stamp()}
    return remember(cache, "picture_digests", picture_digests, how=how, given=given)


def picture_digests(stimuli: Stimuli, ids: np.ndarray) -> np.ndarray:
    """SHA-256 of the pixels of each picture, ndarray of text (n,)."""
    parts = (stimuli.images(part) for part in _parts(ids, AT_ONCE, "pictures read"))
    return np.array([sha256(picture.tobytes()).hexdigest() for part in parts for picture in part])


def write_latents(
    folder: Path,
    weights: Weights,
    settings: configuration.TargetSettings,
    stimuli: Stimuli,
    ids: np.ndarray,
    device: torch.device | str,
) -> None:
    """Encode into ``latents.npy`` in `folder`, or go on where an earlier call stopped."""
    encode = partial(encode_latents, weights, settings, stimuli, device=device)
    _write(folder, ARRAYS["latents"], ids, encode)


def write_tokens(
    folder: Path,
    weights: Weights,
    settings: configuration.TargetSettings,
    stimuli: Stimuli,
    ids: np.ndarray,
    device: torch.device | str,
) -> None:
    """Encode into ``image_tokens.npy`` and ``text_tokens.npy``, as :func:`write_latents`."""
    encode = partial(encode_tokens, weights, settings, stimuli, device=device)
    _write(folder, ARRAYS["tokens"], ids, encode)


@torch.inference_mode()
def encode_latents(
    weights: Weights,
    settings: configuration.TargetSettings,
    stimuli: Stimuli,
    ids: np.ndarray,
    device: torch.device | str,
) -> Batches:
    """Latents (b, C, h, w) float16 of one batch of images after the other."""
    folder = vae.diffusion_folder(weights)
    autoencoder = vae.load_vae(folder, device)
    size = vae.image_size(folder, autoencoder)
    for part in _parts(ids, settings.batch_size, "latents"):
        yield (_half(vae.latents(autoencoder, stimuli.images(part), size), part),)


@torch.inference_mode()
def encode_tokens(
    weights: Weights,
    settings: configuration.TargetSettings,
    stimuli: Stimuli,
    ids: np.ndarray,
    device: torch.device | str,
) -> Batches:
    """Image tokens (b, Ti, D) and text tokens (b, n_captions, Tt, D) float16, batch by batch."""
    encoder = clip.load_clip(weights, device)
    n_captions = max(1, settings.captions_per_image)  # without any, the empty one
    for part in _parts(ids, settings.batch_size, "tokens"):
        captions = stimuli.captions(part, n_captions)
        text = encoder.text_tokens([caption for five in captions for caption in five])
        text = text.unflatten(0, (len(part), n_captions))  # (b, n_captions, Tt, D)
        yield _half(encoder.image_tokens(stimuli.images(part)), part), _half(text, part)


def _parts(ids: np.ndarray, size: int, what: str) -> Iterator[np.ndarray]:
    with tqdm(total=len(ids), desc=what, unit="image") as bar:
        for start in range(0, len(ids), size):
            yield ids[start : start + size]
            bar.update(len(ids[start : start + size]))


def _write(
    folder: Path, names: tuple[str, ...], ids: np.ndarray, encode: Callable[[np.ndarray], Batches]
) -> None:
    """Encode into ``.npy`` files in `folder`.

    ``done.json`` says how far an earlier run came, with a check sum of every batch; from the first
    that is not what it was, targets are computed again.
    """
    batches = _intact(folder, names, len(ids))
    done = batches[-1][0] if batches else 0
    for batch in encode(ids[done:]):
        end = done + len(batch[0])
        for name, values in zip(names, batch, strict=True):
            array = _open(folder / f"{name}.npy", (len(ids), *values.shape[1:]), new=done == 0)
            array[done:end] = values
            array.flush()
        batches.append([end, [zlib.crc32(np.ascontiguousarray(values)) for values in batch]])
        write_json(folder / DONE, batches)
        done = end


def _open(path: Path, shape: tuple[int, ...], new: bool) -> np.memmap:
    if new:
        return np.lib.format.open_memmap(path, "w+", np.float16, shape)
    return np.load(path, mmap_mode="r+")


def _intact(folder: Path, names: tuple[str, ...], n: int) -> list[list]:
    """The end and check sums of the batches of an earlier run, as far as they still agree."""
    try:
        noted = [[int(end), [int(x) for x in sums]] for end, sums in read_json(folder / DONE)]
        arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in names]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, EOFError, OSError) as error:
        log.warning("%s: cannot be gone on with (%s); begun anew", folder.name, error)
        return []
    batches: list[list] = []
    start = 0
    for end, sums in noted:
        if not _agrees(arrays, n, start, end, sums):
            log.warning("%s: damaged from image %d on; computed again", folder.name, start)
            break
        batches, start = [*batches, [end, sums]], end
    return batches


def _agrees(arrays: list[np.ndarray], n: int, start: int, end: int, sums: list[int]) -> bool:
    if not start < end <= n or any(len(x) != n or x.dtype != np.float16 for x in arrays):
        return False
    return sums == [zlib.crc32(np.ascontiguousarray(x[start:end])) for x in arrays]


def _half(tensor: torch.Tensor, ids: np.ndarray) -> np.ndarray:
    array = tensor.cpu().numpy().astype(np.float16)
    if not np.isfinite(array).all():
        raise WeightsError(
            f"The targets of images {ids[0]} to {ids[-1]} are not finite in float16. "
            "The weights of the VAE or of CLIP are damaged, or are not those of such a model."
        )
    return array
