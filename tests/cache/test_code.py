"""What code counts: an edit in any layer reaches every kind of result that runs it."""

import ast
import shutil

import pytest

from havir_lib.cache.code import WHOLE, Used, simplified, used_by
from havir_lib.errors import CacheError
from havir_lib.provenance import PACKAGE_ROOT, digest

KINDS = {
    "subjects": ("data.load", "extract"),
    "picture_digests": ("targets.compute", "picture_digests"),
    "latents": ("targets.compute", "write_latents"),
    "tokens": ("targets.compute", "write_tokens"),
    "token_lengths": ("run.targets", "lengths"),
    "trained": ("training.branches", "train_branch"),
    "predictions": ("training.predict", "predict_images"),
    "decoded": ("training.linear", "decoded_predictions"),
    "nearest": ("evaluation.nearest", "nearest"),
    "reconstructions": ("diffusion", "DualGuidedDiffusion"),
    "scores": ("evaluation.scoring", "score_by"),
    "importance": ("pages.importance", "importance_maps"),
    "permuted_labels": ("interpretation", "permuted_label_maps"),
    "captions": ("evaluation.captions", "nearest_captions"),
    "ceilings": ("pages.ceilings", "ceiling_row"),
    "edge_density": ("evaluation.complexity", "edge_density"),
}


def codes(root):
    return {
        kind: digest((used_by(f"havir_lib.{module}", name, root) | also(kind, root)).sources)
        for kind, (module, name) in KINDS.items()
    }


ALSO = {"subjects": "havir_lib.data.readers.nsd"}
"""What :func:`havir_lib.data.load.load_subject` names, since methods are not looked up."""


def also(kind, root):
    return used_by(ALSO[kind], WHOLE, root) if kind in ALSO else Used()


@pytest.fixture(scope="module")
def before():
    return codes(PACKAGE_ROOT.parent)


@pytest.fixture
def edited(tmp_path, before):
    """Function that edits one file of a copy and returns the kinds whose code has changed."""
    shutil.copytree(PACKAGE_ROOT, tmp_path / "havir_lib", ignore=shutil.ignore_patterns("weights"))

    def edit(file, old, new):
        path = tmp_path / "havir_lib" / file
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
        path.write_text(text.replace(old, new))
        after = codes(tmp_path)
        return {kind for kind in KINDS if after[kind] != before[kind]}

    return edit


EDITS = {
    "data: axis order of betas": (
        "data/betas.py", "return np.ascontiguousarray(values.T)",
        "return np.ascontiguousarray(values.T[::-1])", {"subjects"},
    ),
    "data: which voxels have a role": (
        "data/roles.py", "getattr(roles, role)}", "getattr(roles, role)[:1]}", {"subjects"},
    ),
    "noise ceiling": ("noise_ceiling.py", "def estimate_ncsnr(", "def estimate_ncsnr(scale=1, *,",
                      {"subjects"}),
    "targets: scaling of latents": (
        "targets/vae.py", "latent_dist.mode() * vae", "latent_dist.mode() / vae", {"latents"},
    ),
    "targets: normalisation of tokens": (
        "targets/clip.py", "return tokens / tokens[:, :1]", "return tokens / tokens[:, 1:2]",
        {"tokens"},
    ),
    "models: a loss": ("models/losses.py", "def mse(", "def mse(factor=2, *,", {"trained"}),
    "training: length of tokens": (
        "training/predict.py", "    return tokens * (wanted", "    return 2 * tokens * (wanted",
        {"predictions", "decoded"},
    ),
    "training: mean length": (
        "training/predict.py", "return _lengths(image_tokens, rows).mean(0)",
        "return 2 * _lengths(image_tokens, rows).mean(0)", {"token_lengths", "decoded"},
    ),
    "diffusion: guidance": (
        "diffusion/sampler.py", "def noise_predictor(", "def noise_predictor(scale=1, *,",
        {"reconstructions"},
    ),
    "evaluation: identification": (
        "evaluation/identification.py", "(similarity < own - TIE)", "(similarity <= own - TIE)",
        set(),  # reached through the metric that is passed, see test_remember.py
    ),
    "evaluation: correlation": (
        "evaluation/correlation.py", "def _tensor(", "def _tensor(scale=1, *,",
        {"nearest", "ceilings"},
    ),
    "interpretation: a map": (
        "interpretation/weights.py", "def weight_norm(", "def weight_norm(scale=1, *,",
        {"importance"},
    ),
    "evaluation: edges": (
        "evaluation/complexity.py", "SIGMA = 1.5", "SIGMA = 1.6", {"edge_density"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("layer", EDITS)
def test_an_edit_reaches_every_result_that_runs_it(edited, layer):
    file, old, new, expected = EDITS[layer]
    assert edited(file, old, new) == expected


SILENT = {
    "a comment": ("io.py", "import json\n", "import json  # text\n"),
    "a docstring": ("io.py", '"""Read a JSON file."""', '"""Read one JSON file."""'),
    "an annotation": ("io.py", "def read_json(path: Path) -> Any", "def read_json(path) -> dict"),
    "what an error says": ("data/hdf5.py", "raise DataError(", 'raise DataError("oh: " + '),
    "what nothing here uses": ("mini/vae.py", "import torch\n", "import torch\n\nX = 1\n"),
    "a default of a setting": ("config.py", "checkpoint_seconds: float = Field(20.0",
                               "checkpoint_seconds: float = Field(30.0"),
}  # fmt: skip


@pytest.mark.parametrize("what", SILENT)
def test_what_cannot_change_a_result_changes_no_key(edited, what):
    file, old, new = SILENT[what]
    text = (PACKAGE_ROOT / file).read_text()
    if text.count(old) > 1:  # the first of several
        start = text.index(old)
        old = text[start : start + len(old) + 60]
        new = new + old[len(SILENT[what][1]) :]
    assert edited(file, old, new) == set()


def test_packages_that_compute_are_named_and_those_that_show_are_not():
    used = used_by("havir_lib.models.ridge", "predict_ridge")
    assert "torch" in used.packages
    assert not {"tqdm", "logging"} & used.packages


def test_a_whole_package_can_be_named():
    used = used_by("havir_lib.simulation.scenes", WHOLE)
    assert used.covers("havir_lib.simulation.scenes.animals", "anything")


def test_settings_count_by_value_and_their_methods_by_code():
    used = used_by("havir_lib.config", "Data")
    assert "sessions_of" in used.sources["havir_lib.config:Data"]
    assert "bad_voxels" not in used.sources["havir_lib.config:Data"]


def test_simplified_keeps_what_computes():
    source = '''
def f(x: int = 2) -> int:
    """Text."""
    log.info("said %s", x)  # why
    y: float = x * 3
    if y > 9:
        raise ValueError(f"too large: {y}")
    return y
'''
    text = ast.unparse(simplified(ast.parse(source)))
    assert "x * 3" in text
    assert "x=2" in text
    assert "y > 9" in text
    assert not [word for word in ("Text", "said", "too large", "float") if word in text]


def test_an_inner_function_cannot_be_traced():
    with pytest.raises(CacheError, match="defines no 'nowhere'"):
        used_by("havir_lib.io", "nowhere")
