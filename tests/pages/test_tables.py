"""Tables of methods and controls: what is bold, what is saved beside them."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from havir_lib.pages import (
    ablations,
    captions,
    ceilings,
    comparison,
    complexity,
    crosstalk,
    normalisation,
    overlap,
    sweeps,
    transfer,
)
from havir_lib.pages.scores_file import save_per_image
from havir_lib.pages.summaries import ranked
from havir_lib.run import Run

CORE = ("HAVIR", "ridge", "shuffled voxels", "true targets")


@pytest.fixture(scope="module")
def per_image(run):
    return run.all_scores(CORE)


def test_bounds_are_never_best(run):
    found = ranked(run, run.all_scores(CORE), "method")
    bounds = found["method"].isin(["shuffled voxels", "true targets"])
    assert found.loc[bounds & (found["metric"] == "PixCorr"), "value"].max() > 0.5  # the highest
    assert not found.loc[bounds, "best"].any()
    assert set(found["subject"]) == {"mean", *run.subjects}


def test_a_clear_winner_is_best_in_every_row(run, per_image):
    planted = per_image.copy()
    better = {"PixCorr": 0.9, "SSIM": 0.9, "MiniCLIP": 0.9}
    ours = planted["method"] == "HAVIR"
    rng = np.random.default_rng(0)
    planted["value"] = planted["metric"].map(better) * ours + 0.05 * rng.random(len(planted))
    found = ranked(run, planted, "method")
    assert found.loc[found["method"] == "HAVIR", "best"].mean() == 1
    assert not found.loc[found["method"] != "HAVIR", "best"].any()


def test_per_image_scores_are_saved_with_their_origin(run, per_image):
    path = save_per_image(run, per_image, "example")
    found = pd.read_csv(path)
    n = len(run.subject("subj01").test_images)
    assert len(found) == len(CORE) * len(run.subjects) * n * len(run.config.evaluation.metrics)
    assert set(found["data"]) == {"SIMULATED"}
    assert path.with_suffix(".json").is_file()
    np.testing.assert_allclose(found["value"], per_image["value"], rtol=1e-5)


def test_every_competitor_is_compared(run):
    found = comparison.paired(run)
    expected = set(run.method_names(bounds=False)) - {"HAVIR"}
    assert set(found["baseline"]) == expected
    assert (found["p_holm"] >= found["p"]).all()
    assert found["subjects_better"].between(0, len(run.subjects)).all()


MAKERS = {
    "sampler_sweeps": sweeps.table_of_sweeps,
    "transfer_curve": transfer.curve_table,
    "region_ceilings": ceilings.regions,
    "zscore_difference": normalisation.difference,
    "train_test_overlap": overlap.nearness,
    "held_out_clusters": overlap.clusters_table,
    "held_out_differences": overlap.differences,
    "complexity_strata": complexity.strata_table,
    "complexity_test": complexity.test,
    "image_retrieval": captions.image_retrieval,
    "caption_prediction": captions.caption_scores,
}
CONTROLS = {
    "sampler_sweeps": {"parameter", "setting", "metric", "value", "low", "high", "n"},
    "transfer_curve": {"method", "hours", "subject", "metric", "value", "low", "high", "n"},
    "region_ceilings": {"subject", "role", "roi", "noise_ceiling", "value", "relative", "n"},
    "zscore_difference": {"metric", "baseline", "difference", "low", "high", "p_holm", "n"},
    "train_test_overlap": {"quantity", "value", "low", "high", "n"},
    "held_out_clusters": {"method", "split", "metric", "value", "low", "high", "n"},
    "held_out_differences": {"method", "split", "metric", "difference", "p_holm", "d_z", "n"},
    "complexity_strata": {"method", "stratum", "metric", "value", "low", "high", "n"},
    "complexity_test": {"complexity", "metric", "rho", "low", "high", "p", "p_holm", "n"},
    "image_retrieval": {"method", "subject", "metric", "value", "pool", "chance", "n"},
    "caption_prediction": {"method", "subject", "metric", "value", "low", "high", "n"},
}


@pytest.mark.parametrize("name", CONTROLS)
def test_controls_are_written_long_with_interval_and_number(run, name):
    frame = MAKERS[name](run)
    assert set(frame) >= CONTROLS[name]
    assert frame["n"].notna().all()
    written = pd.read_csv(run.workspace.tables / f"{name}.csv")
    assert len(written) == len(frame)
    assert set(written["data"]) == {"SIMULATED"}
    assert "SIMULATED" in (run.workspace.tables / f"{name}.md").read_text()


def test_crosstalk_table_has_every_level(run):
    frame = crosstalk.claims_table(run)
    assert frame["crosstalk"].unique().tolist() == [0.0, run.config.simulation.crosstalk]


def test_the_papers_numbers_stand_beside_ours():
    ours = pd.DataFrame(
        [
            ("HAVIR", "PixCorr", 0.320, 0.30, 0.34),  # the paper: 0.327
            ("w/o z'", "SSIM", 0.30, 0.28, 0.32),  # the paper: 0.237
        ],
        columns=["configuration", "metric", "value", "low", "high"],
    )
    found = ablations.beside_paper(ours).set_index(["configuration", "metric"])
    assert found.loc[("HAVIR", "PixCorr"), "here"] == 0.320
    assert found.loc[("HAVIR", "PixCorr"), "within"]
    assert not found.loc[("w/o z'", "SSIM"), "within"]
    assert found.loc[("only z'", "CLIP"), "within"] == "not measured"
    assert len(found) == 8


def test_ablations_are_of_the_chosen_subjects_unless_full(run, monkeypatch):
    monkeypatch.setattr(Run, "all_scores", lambda run, *, subjects, **_: subjects)

    def asked(full, chosen):
        update = {"full": full, "ablation_subjects": chosen}
        comparison = run.config.comparison.model_copy(update=update)
        config = run.config.model_copy(update={"comparison": comparison})
        return ablations.ablation_scores(replace(run, config=config))

    assert asked(False, ["subj02"]) == ["subj02"]
    assert asked(False, None) == run.subjects
    assert asked(True, ["subj02"]) == run.subjects
    assert asked(False, ["subj07"]) == run.subjects  # named by a profile of other subjects
    assert asked(False, ["subj07", "subj01"]) == ["subj01"]
