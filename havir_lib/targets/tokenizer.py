"""From captions to token ids, padded as the model that reads the tokens was trained.

Nothing masks the padding of a caption: the diffusion model attends to it as it does to words, 62 of
77 tokens for a caption of 13. What it is belongs to the diffusion model: Versatile Diffusion pads
with ``<|endoftext|>``, the small models of this package with token 0. Both say so in a
``tokenizer_config.json``, in the layout that Versatile Diffusion was published in.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from torch import Tensor

from havir_lib import hub
from havir_lib.config import Weights
from havir_lib.errors import WeightsError
from havir_lib.targets.vae import diffusion_folder

if TYPE_CHECKING:
    from transformers import CLIPTokenizer  # takes seconds to import


@dataclass(frozen=True)
class Tokenizer:
    """Transformers' ``CLIPTokenizer`` at a fixed length.

    Attributes
    ----------
    words : CLIPTokenizer
    length : int
        Tokens per caption, Tt; longer captions are cut, shorter ones padded.
    """

    words: CLIPTokenizer
    length: int

    def __call__(self, captions: Sequence[str]) -> Tensor:
        """Token ids, (B, Tt) int64: start of text, words, end of text, padding."""
        options = {"padding": "max_length", "truncation": True, "return_tensors": "pt"}
        return self.words(list(captions), max_length=self.length, **options)["input_ids"]

    @property
    def vocab_size(self) -> int:
        """Number of tokens; the last one is the end of text."""
        return len(self.words)


def load_tokenizer(folder: Path, length: int) -> Tokenizer:
    """The tokenizer whose vocabulary and padding are in `folder`.

    Raises
    ------
    WeightsError
        If its files are missing or cannot be read.
    """
    from transformers import CLIPTokenizer

    if missing := [name for name in hub.TOKENIZER_FILES if not (folder / name).is_file()]:
        raise WeightsError(
            f"Captions need a tokenizer: expected {', '.join(hub.TOKENIZER_FILES)} in {folder}, "
            f"but {', '.join(missing)} not there. `havir download --what weights` fetches them "
            "with the diffusion model that weights.diffusion names; add them to a copy of your own."
        )
    try:
        return Tokenizer(CLIPTokenizer.from_pretrained(folder, local_files_only=True), length)
    except Exception as error:  # transformers raises whatever its file reader raised
        raise WeightsError(f"The tokenizer in {folder} could not be loaded: {error}") from error


def tokenizer_folder(weights: Weights, clip: Path | None) -> Path:
    """Where the tokenizer is: with the diffusion model, else in the folder of the CLIP model.

    The diffusion model's comes first, since it says how the captions it learned from were padded.
    """
    folder = diffusion_folder(weights) / "tokenizer"
    return clip if clip and not folder.is_dir() else folder


def tokenizer_content(folder: Path) -> dict[str, str]:
    """Hashes of the files that ids depend on."""
    files = sorted(file for file in folder.glob("*") if file.suffix in {".json", ".txt"})
    return {file.name: hub.checked_digest(file) for file in files}
