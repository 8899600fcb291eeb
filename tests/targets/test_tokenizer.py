"""Token ids against transformers' and open_clip's tokenizers, with OpenAI's vocabulary."""

import html

import ftfy
import open_clip
import pytest
import torch
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from benchmarks import clip_conversion
from havir_lib.config import Weights
from havir_lib.errors import WeightsError
from havir_lib.mini.clip import write_tokenizer
from havir_lib.targets import clip, tokenizer

LENGTH = 77
END = 49407
ODD = [
    "",
    " ",
    "\n\t ",
    "a",
    "A MAN riding a Wave on top of a surfboard.",
    "  two   dogs\tin\na   park ",
    "don't, we'll, it's, they've, I'm, she'd, you're",
    "it’s a “quoted” ‘sign’",
    'a sign that says "stop"',
    "'single' and `back` quotes",
    "😀",
    "a 🐶 and a 🐱 on a 🛋️",
    "👩‍👩‍👧 family 👍🏽",
    "naïve café, façade, Zoë",
    "cafe\u0301 decomposed",
    "日本語の文字",
    "кошка на столе",
    "قطة على الطاولة",
    "ﬁne ligature",
    "full－width １２３ ｔｅｘｔ",
    "tom &amp; jerry",
    "a &lt;b&gt; c",
    "&quot;escaped&quot;",
    "1234 trains at 12:45, 100% full, $5.00",
    "a_b-c/d\\e|f",
    "...!!??--",
    "###",
    "http://example.org/?a=b&c=d",
    "word" * 60,
    "x " * 75,
    "x " * 76,
    "x " * 77,
    "a very long caption " * 40,
    "<|endoftext|>",
    "before <|endoftext|> after",
    "<|endoftext|> <|endoftext|> <|endoftext|>",
    "<|startoftext|> twice",
    "x " * 80 + "<|endoftext|>",
    "!",
    "! ! !",
    "\x00null",
    "zero\u200bwidth",
    "non\u00a0breaking",
    "ΑΒΓ ὈΔΥΣΣΕΎΣ",
    "İstanbul ISPARTA",
    "straße STRASSE",
    "½ cup, 3² tiles, №5",
    "a\r\nb",
    "tab\tseparated\tvalues",
    "ends in a space ",
    "(brackets) [square] {curly}",
    "Semi;colon: comma, stop.",
]


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The tokenizer's files as Versatile Diffusion was published with them."""
    folder = tmp_path_factory.mktemp("versatile-diffusion") / "tokenizer"
    ranks = open_clip.SimpleTokenizer().bpe_ranks
    write_tokenizer(folder, sorted(ranks, key=ranks.get))
    return folder


def test_ids_are_those_of_the_published_tokenizer(published):
    reference = CLIPTokenizer(
        vocab=str(published / "vocab.json"), merges=str(published / "merges.txt")
    )
    expected = reference(ODD, padding="max_length", max_length=LENGTH, truncation=True)
    found = tokenizer.load_tokenizer(published, LENGTH)(ODD)
    assert len(ODD) > 50
    assert found.shape == (len(ODD), LENGTH)
    assert found.tolist() == expected["input_ids"]


def test_words_are_those_of_openais_tokenizer(published):
    """Where open_clip cleans a text (ftfy, HTML), the published tokenizer does not.

    Nor do both write the capital sigma at a word's end in the same way.
    """
    clean = [text for text in ODD if html.unescape(ftfy.fix_text(text)) == text]
    clean = [text for text in clean if "<|" not in text and "Σ" not in text]
    assert len(clean) > 35
    found = tokenizer.load_tokenizer(published, LENGTH)(clean)
    expected = open_clip.SimpleTokenizer(context_length=LENGTH)(clean)
    for ours, theirs in zip(found.tolist(), expected.tolist(), strict=True):
        n = theirs.index(END) + 1
        assert ours == theirs[:n] + [END] * (LENGTH - n)


@pytest.mark.parametrize(("pad", "id"), [("<|endoftext|>", 517), ("!", 0)])
def test_padding_is_what_the_files_say(tmp_path, pad, id):
    merges = [("a", "t</w>"), ("c", "at</w>"), ("d", "o"), ("do", "g</w>")]
    write_tokenizer(tmp_path, merges, pad)
    ids = tokenizer.load_tokenizer(tmp_path, 6)(["cat dog", "dog"])
    assert ids.tolist() == [[516, 513, 515, 517, id, id], [516, 515, 517, id, id, id]]


def test_the_diffusion_model_says_how_captions_are_padded(clip_folder, diffusion_folder):
    weights = Weights(clip=str(clip_folder), diffusion=str(diffusion_folder))
    before, alone = clip.load_clip(weights), clip.clip_content(weights)
    merges = [line.split() for line in (clip_folder / "merges.txt").read_text().split("\n")[1:-1]]
    write_tokenizer(diffusion_folder / "tokenizer", merges)
    after = clip.load_clip(weights)
    assert before.tokenize(["cat"])[0].tolist() == [516, 513, 517, *[0] * 6]
    assert after.tokenize(["cat"])[0].tolist() == [516, 513, *[517] * 7]
    assert clip.clip_content(weights) != alone


def test_a_copy_without_its_tokenizer_says_what_is_missing(diffusion_folder):
    folder = tokenizer.tokenizer_folder(Weights(diffusion=str(diffusion_folder)), None)
    with pytest.raises(WeightsError, match=r"vocab\.json, merges\.txt.*havir download"):
        tokenizer.load_tokenizer(folder, LENGTH)


def test_a_damaged_vocabulary_is_refused(published, tmp_path):
    for name in ("merges.txt", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((published / name).read_bytes())
    (tmp_path / "vocab.json").write_text('{"a": 1')
    with pytest.raises(WeightsError, match=r"could not be loaded"):
        tokenizer.load_tokenizer(tmp_path, LENGTH)


@torch.no_grad()
def test_the_first_end_of_text_is_the_pooled_one(make_clip):
    model = make_clip()
    _, text = clip_conversion.as_transformers(model, quick_gelu=True)
    assert isinstance(text, CLIPTextModelWithProjection)
    ids = torch.tensor([[516, 3, 4, *[517] * 6], [516, 5, 517, 6, 517, 7, 517, 517, 517]])
    found = clip.text_tokens(model, ids)
    torch.testing.assert_close(found, clip_conversion.text_tokens(text, ids), rtol=1e-4, atol=1e-5)
    ends = found[torch.arange(2), torch.tensor([3, 2])]
    torch.testing.assert_close(ends.norm(dim=-1), torch.ones(2))
