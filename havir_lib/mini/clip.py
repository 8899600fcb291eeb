"""The small CLIP: an open_clip ``CLIP`` from a small configuration, and its own BPE vocabulary.

Besides captions it learns from the scenes' object lists (which objects, setting and light are in
the picture, and which patches an object covers), to redraw each patch from its token, and to tell
from its token where it is: image tokens then say what is where, and of which shape, after far fewer
pictures than contrast alone would need. The linear heads used for that are thrown away.

Shape words: B batch, P = 64 patches, T = 32 text tokens, D = 128 width of the joint space.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
from open_clip.tokenizer import bytes_to_unicode
from safetensors.torch import save_file
from tokenizers import Regex, models, normalizers, pre_tokenizers, trainers
from tokenizers import Tokenizer as Bpe
from torch import Tensor, nn
from torch.nn import functional as F

from havir_lib.devices import mixed_precision
from havir_lib.io import atomic_write, write_json, write_text
from havir_lib.mini.data import LABELS, PATCH, SIZE, SceneSet
from havir_lib.mini.fit import Draw, Loss
from havir_lib.targets.tokenizer import Tokenizer

CONTEXT = 32
MERGES = 1000
START, END = "<|startoftext|>", "<|endoftext|>"
WEIGHTS_FILE = "open_clip_model.safetensors"
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
"""How CLIP's tokenizer cuts text into words before merging letters."""

LABEL_WEIGHT = 0.2
PATCH_WEIGHT = 0.5
SHAPE_WEIGHT = 2.0
PLACE_WEIGHT = 1.0
SHAPE_SIZE = 8
"""Pixels along each side of a patch, made smaller, that its token is to redraw."""
N_PATCHES = (SIZE // PATCH) ** 2
RARE = -4.0
"""Initial logit of every label: a label is true of about one picture in fifty."""

PREPROCESS = {
    "size": SIZE,
    "mode": "RGB",
    "mean": [0.48145466, 0.4578275, 0.40821073],
    "std": [0.26862954, 0.26130258, 0.27577711],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


def clip_config(vocab_size: int) -> dict:
    """open_clip's model configuration for a vocabulary."""
    return {
        "embed_dim": 128,
        "vision_cfg": {
            "image_size": SIZE,
            "patch_size": 16,
            "layers": 6,
            "width": 192,
            "head_width": 32,
        },
        "text_cfg": {
            "context_length": CONTEXT,
            "vocab_size": vocab_size,
            "width": 128,
            "heads": 4,
            "layers": 2,
        },
    }


def train_vocabulary(captions: Iterable[str], folder: Path, n_merges: int = MERGES) -> None:
    """Learn byte-pair merges from captions and write a tokenizer that pads with token 0."""
    bpe = Bpe(models.BPE(end_of_word_suffix="</w>"))
    bpe.normalizer = normalizers.Lowercase()
    bpe.pre_tokenizer = pre_tokenizers.Split(Regex(WORDS), "removed", invert=True)
    texts = sorted(set(captions))
    letters = {letter for text in texts for letter in text.lower() if letter.strip()}
    trainer = trainers.BpeTrainer(
        vocab_size=2 * len(letters) + n_merges, end_of_word_suffix="</w>", show_progress=False
    )
    bpe.train_from_iterator(texts, trainer)
    merges = json.loads(bpe.to_str())["model"]["merges"][:n_merges]
    write_tokenizer(folder, merges, pad=next(iter(bytes_to_unicode().values())))


def write_tokenizer(folder: Path, merges: Iterable[Sequence[str]], pad: str = END) -> None:
    """Write byte-pair merges as transformers' ``CLIPTokenizer`` reads them.

    Bytes and bytes at the end of a word take the first 512 ids, merges follow, and the start- and
    end-of-text marks come last, as in OpenAI's vocabulary.

    Parameters
    ----------
    folder : Path
    merges : iterable of pairs of str, most frequent first
    pad : str
        Token that fills a short caption; Versatile Diffusion's is the end of text.
    """
    merges, letters = list(merges), list(bytes_to_unicode().values())
    words = [*letters, *(f"{letter}</w>" for letter in letters), *map("".join, merges), START, END]
    marks = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": pad}
    lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
    write_json(folder / "vocab.json", {word: id for id, word in enumerate(words)})
    write_text(folder / "merges.txt", "\n".join(lines))
    write_json(folder / "tokenizer_config.json", {"tokenizer_class": "CLIPTokenizer", **marks})


class Learner(nn.Module):
    """A CLIP with the linear heads that only training uses."""

    def __init__(self, vocab_size: int, n_categories: int, seed: int = 0) -> None:
        super().__init__()
        torch.manual_seed(seed)
        config = clip_config(vocab_size)
        self.clip = open_clip.CLIP(**config)
        self.clip.visual.output_tokens = True
        self.label_head = nn.Linear(config["embed_dim"], len(LABELS))
        self.patch_head = nn.Linear(config["embed_dim"], n_categories)
        self.shape_head = nn.Linear(config["embed_dim"], 3 * SHAPE_SIZE**2)
        self.place_head = nn.Linear(config["embed_dim"], N_PATCHES)
        for head in (self.label_head, self.patch_head):
            nn.init.constant_(head.bias, RARE)

    def forward(self, images: Tensor, ids: Tensor) -> tuple[Tensor, ...]:
        """What the heads say of images (B, 3, H, W) and captions (B, T).

        Returns
        -------
        similar : Tensor (B, B)
            Of images and captions.
        labels : Tensor (B, labels)
            Logits.
        patches : Tensor (B, P, K)
            Logits.
        shapes : Tensor (B, P, 3 * 8 * 8)
            Each patch, drawn from its token.
        places : Tensor (B, P, P)
            Logits: which of the patches it is.
        """
        pooled, patches = self.clip.visual(images)
        text = self.clip.encode_text(ids, normalize=True)
        image = F.normalize(pooled, dim=-1)
        scale = self.clip.logit_scale.exp().clamp(max=100)
        patches = patches @ self.clip.visual.proj
        unit = F.normalize(patches, dim=-1) * patches.shape[-1] ** 0.5
        looks = self.patch_head(patches), self.shape_head(unit), self.place_head(unit)
        return scale * image @ text.T, self.label_head(pooled), *looks


def patch_shapes(images: Tensor) -> Tensor:
    """Patches of images (B, 3, H, W), row by row, 8 px wide each: (B, P, 3 * 8 * 8)."""
    small = F.avg_pool2d(images, PATCH // SHAPE_SIZE)
    return F.unfold(small, SHAPE_SIZE, stride=SHAPE_SIZE).transpose(1, 2)


def clip_loss(learner: Learner, scenes: SceneSet, tokenizer: Tokenizer, batch_size: int) -> Loss:
    """Contrast of images and one caption each, their labels; labels, looks, place of patches."""
    device = learner.clip.logit_scale.device
    ids = tokenize_all(tokenizer, scenes.captions)
    mean, std = (
        torch.tensor(PREPROCESS[name], device=device)[:, None, None] for name in ("mean", "std")
    )

    def loss(draw: Draw) -> dict[str, Tensor]:
        index = np.sort(draw.numpy.choice(len(scenes), batch_size, replace=False))
        caption = draw.numpy.integers(ids.shape[1], size=batch_size)
        x = torch.from_numpy(scenes.images[index]).to(device).permute(0, 3, 1, 2).float() / 255
        labels = torch.from_numpy(scenes.labels[index]).to(device).float()
        patches = torch.from_numpy(scenes.patches[index]).to(device).float()
        with mixed_precision(device):
            similar, label_logits, patch_logits, shapes, places = learner(
                (x - mean) / std, ids[index, caption].to(device)
            )
        same = torch.arange(batch_size, device=device)
        similar = similar.float()
        contrast = (F.cross_entropy(similar, same) + F.cross_entropy(similar.T, same)) / 2
        label = _bce(label_logits, labels)
        patch = _bce(patch_logits, patches)
        shape = F.l1_loss(shapes.float(), patch_shapes((x - mean) / std))
        own = torch.arange(N_PATCHES, device=device).expand(batch_size, -1)
        place = F.cross_entropy(places.float().flatten(0, 1), own.flatten())
        looks = PATCH_WEIGHT * patch + SHAPE_WEIGHT * shape + PLACE_WEIGHT * place
        return {
            "loss": contrast + LABEL_WEIGHT * label + looks,
            "contrast": contrast,
            "labels": label,
            "patches": patch,
            "shapes": shape,
            "places": place,
            "top1": (similar.detach().argmax(1) == same).float().mean(),
        }

    return loss


def _bce(logits: Tensor, labels: Tensor) -> Tensor:
    """Cross-entropy per picture or patch, summed over labels."""
    each = F.binary_cross_entropy_with_logits(logits.float(), labels, reduction="none")
    return each.sum(-1).mean()


def tokenize_all(tokenizer: Tokenizer, captions: list[list[str]]) -> Tensor:
    """Token ids (n, captions, T) of captions, as int64."""
    ids = tokenizer([text for texts in captions for text in texts])
    return ids.unflatten(0, (len(captions), -1))


def save_clip(learner: Learner, folder: Path) -> None:
    """Write open_clip's configuration and float16 weights beside the vocabulary in `folder`."""
    model = learner.clip
    write_json(
        Path(folder) / "open_clip_config.json",
        {"model_cfg": clip_config(model.vocab_size), "preprocess_cfg": PREPROCESS},
    )
    tensors = {
        name: x.detach().to("cpu", torch.float16).contiguous()
        for name, x in model.state_dict().items()
    }
    with atomic_write(Path(folder) / WEIGHTS_FILE) as temporary:
        save_file(tensors, temporary, metadata={"format": "pt"})
