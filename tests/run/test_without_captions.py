"""Pictures of which nothing is said: image tokens guide alone, and text is in no table."""

import numpy as np
import pytest
from IPython.display import Markdown

from havir_lib import open_run
from havir_lib.config import load_config
from havir_lib.data.export import export_own
from havir_lib.errors import ConfigError, DataError
from havir_lib.evaluation.embedding import embedding_scores
from havir_lib.pages import ablations, branches, captions, claims, importance, regions, voxels
from havir_lib.training import branch_settings
from tests.conftest import SMALL

NAME = "sub-subj01"
SILENT = {"targets.captions_per_image": 0, "diffusion.mixing": 0}


@pytest.fixture(scope="module")
def folder(run, tmp_path_factory):
    """A data set of one's own without captions."""
    root = tmp_path_factory.mktemp("own") / "data"
    return export_own(run.reader, root, run.subjects, n_captions=0)


@pytest.fixture(scope="module")
def settings(folder, tmp_path_factory):
    names = [NAME, "sub-subj02"]
    return {
        **SMALL, "data.root": str(folder), "data.reader": "bids", "data.subjects": names,
        "data.base_subject": names[0], "data.picture_size": 128, "data.bad_voxels": "drop",
        "workspace": str(tmp_path_factory.mktemp("silent")),
    }  # fmt: skip


@pytest.fixture(scope="module")
def silent(settings):
    return open_run("smoke", settings | SILENT)


def test_unknown_text_may_not_guide():
    with pytest.raises(ConfigError, match="set diffusion.mixing to 0, found 0.5"):
        load_config("smoke", {"targets.captions_per_image": 0})


def test_without_saying_so_the_file_is_asked_for(settings):
    run = open_run("smoke", settings)
    with pytest.raises(DataError, match=r"captions.tsv.*captions_per_image: 0"):
        run.stimuli.captions([0], 1)


def test_text_does_not_change_what_is_drawn(silent):
    predicted = silent.predictions(NAME)
    made = silent.images(NAME).images
    other = silent.diffusion.reconstruct(
        predicted.latents,
        predicted.image_tokens,
        np.ones_like(predicted.text_tokens),
        seeds=[0] * len(made),
        steps=2,
        mixing=0.0,
    )
    none = silent.diffusion.reconstruct(
        predicted.latents, predicted.image_tokens, None, seeds=[0] * len(made), steps=2,
        use_text=False,
    )  # fmt: skip
    np.testing.assert_array_equal(other, none)


def test_text_is_not_learned(silent, run):
    losses = [branch_settings(x.config, "semantic").losses.text for x in (silent, run)]
    assert losses == [0.0, 1.0]


def test_no_table_is_about_text(silent):
    assert isinstance(captions.caption_scores(silent), Markdown)
    assert set(ablations.ablation_scores(silent)["configuration"]) == {"HAVIR", "only z'", "w/o z'"}
    assert set(branches.token_retrieval(silent, NAME).index.get_level_values("tokens")) == {"image"}
    found = embedding_scores(silent.predictions(NAME), silent.true_predictions(NAME))
    assert {"latent correlation", "image token correlation"} <= set(found["metric"])
    assert not any("text" in metric for metric in found["metric"])
    assert not any("Text" in x for x in claims.claims(silent)["claim"])


def test_the_notebooks_cells_about_text_still_run(silent):
    said = captions.predicted_captions(silent, NAME)
    assert set(said["predicted"]) == {""}
    assert silent.test_targets(NAME).text_tokens.shape[1] == 1


def test_one_mask_per_region_is_enough_for_tables_and_figures(silent):
    """Regions without a table of labels are regions themselves."""
    found = regions.region_labels(silent)
    roles = silent.config.data.roles
    assert set(found["roi"]) == {*roles.structural, *roles.semantic}
    assert set(found["label"]) == {1}
    counts = voxels.voxel_counts(silent)
    assert set(counts["roi"]) == {*found["roi"], "all"}
    assert len(importance.by_region(silent, NAME, "semantic")) > 0
    for make in (regions.table1, voxels.table2, voxels.counts, voxels.ceilings):
        assert make(silent) is not None
