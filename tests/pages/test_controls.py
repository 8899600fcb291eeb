"""Curves, sweeps and controls on the smallest run: what is varied, and that nothing else is."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from havir_lib.errors import ConfigError
from havir_lib.evaluation.ceilings import relative_scores, repeat_correlation
from havir_lib.evaluation.complexity import STRATA, edge_density
from havir_lib.evaluation.overlap import nearest_training
from havir_lib.pages import (
    captions,
    ceilings,
    complexity,
    crosstalk,
    importance,
    overlap,
    sweeps,
    transfer,
)
from havir_lib.pages.summaries import predicted_scores
from havir_lib.run import Run, open_run
from havir_lib.run.methods import METHODS
from havir_lib.simulation.stimuli import SCENES


@pytest.mark.parametrize(
    ("n_sessions", "hours"),
    [(1, [1]), (2, [1, 2]), (6, [1, 2, 3, 4, 6]), (37, [1, 2, 6, 15, 37])],
)
def test_curve_has_five_different_hours_if_it_can(n_sessions, hours):
    assert transfer.spread_hours(n_sessions) == hours


def test_curve_has_every_point_method_and_interval(run):
    curve = transfer.transfer_curve(run)
    assert transfer.curve_hours(run, "subj02") == [1, 2]
    keys = curve[["subject", "hours", "method", "metric"]]
    assert not keys.duplicated().any()
    assert len(curve) == 2 * 2 * 3 * len(transfer.METRICS)  # mean and subj02
    assert (curve["low"] <= curve["value"]).all()
    assert set(curve["n"]) == {len(run.subject("subj02").test_images)}


def test_first_point_of_transfer_is_havir_itself(run):
    data = transfer.data_after(run, "subj02", 1)
    first = transfer.predictions_after(run, *data, "transfer")
    havir = run.predictions("subj02")
    np.testing.assert_array_equal(first.image_tokens, havir.image_tokens)
    scratch = transfer.predictions_after(run, *data, "from scratch")
    assert not np.allclose(scratch.image_tokens, havir.image_tokens)


def test_curve_without_another_subject_is_refused(run):
    data = run.config.data.model_copy(update={"subjects": ["subj01"]})
    alone = replace(run, config=run.config.model_copy(update={"data": data}))
    with pytest.raises(ConfigError, match="besides the base subject 'subj01'"):
        transfer.transfer_curve(alone)


def test_sweep_changes_one_setting_and_scores_the_same_images(run):
    found = sweeps.sweep(run, "strength")
    assert found["setting"].unique().tolist() == [0.3, 1.0]
    assert set(found["n"]) == {3}
    weak, strong = (sweeps.swept(run, "strength", value) for value in (0.3, 1.0))
    np.testing.assert_array_equal(weak.image_ids, strong.image_ids)
    assert not np.array_equal(weak.images, strong.images)
    usual = sweeps.swept(run, "strength", run.config.diffusion.strength)
    rows = sweeps.sweep_rows(run, len(run.predictions("subj01").image_ids))
    whole = run.images("subj01").images[rows].astype(int)
    assert np.abs(usual.images.astype(int) - whole).max() <= 2  # other batches, other rounding


def test_each_score_stands_in_the_row_that_names_its_kind():
    kinds = {"PixCorr": sweeps.PIXELS, "CLIP": sweeps.IDENTIFICATION, "Object": sweeps.FEATURES}
    kinds |= {"SwAV": sweeps.DISTANCES}
    assert {name: sweeps.kind_of(name) for name in kinds} == kinds


def test_unknown_sweep_is_refused(run):
    with pytest.raises(ConfigError, match="'steps' was given"):
        sweeps.sweep(run, "steps")


def test_regions_are_scored_against_their_ceiling(run):
    table = ceilings.region_ceilings(run)
    assert set(table["role"]) == {"structural", "semantic"}
    assert (table["n_voxels"] >= ceilings.MIN_VOXELS).all()
    assert table["noise_ceiling"].between(0, 100).all()
    known = table.dropna(subset="ceiling")
    np.testing.assert_allclose(known["relative"], known["value"] / known["ceiling"])
    assert known["ceiling"].between(0, 1).all()
    pd.testing.assert_frame_equal(table, ceilings.region_ceilings(run))


def test_ceiling_recovers_the_noise_free_correlation(rng):
    """A decoder whose noise-free predictions correlate .6 with the truth, and known noise."""
    n, f, repeats = 300, 400, 3
    truth = rng.normal(size=(n, f))
    clean = 0.6 * truth + 0.8 * rng.normal(size=(n, f))  # correlates .6 with the truth
    images = np.repeat(np.arange(n), repeats)
    single = clean[images] + 1.5 * rng.normal(size=(n * repeats, f))
    together = single.reshape(n, repeats, f).mean(axis=1)
    value = np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(together, truth, strict=True)])
    repeated = repeat_correlation(single, images, np.arange(n))
    assert repeated.mean() == pytest.approx(1 / (1 + 1.5**2), abs=0.01)
    found = relative_scores(value, repeated, repeats)
    assert found["ceiling"] == pytest.approx(np.sqrt(1 / (1 + 1.5**2 / 3)), abs=0.01)
    assert found["relative"] == pytest.approx(0.6, abs=0.01)
    assert found["relative_low"] < found["relative"] < found["relative_high"]
    assert found["relative_high"] - found["relative_low"] < 0.03


def test_images_seen_once_have_no_repeat_correlation():
    found = repeat_correlation(np.eye(3), np.array([4, 4, 9]), np.array([4, 9]))
    assert np.isfinite(found[0])
    assert np.isnan(found[1])


def test_single_trials_average_to_the_test_betas(run):
    for name in run.subjects:
        brain = run.subject(name)
        trials, ids = ceilings.trials_of_test(brain)
        for image, betas in zip(brain.test_images, brain.test_betas, strict=True):
            np.testing.assert_allclose(trials[ids == image].mean(axis=0), betas, atol=1e-5)


def test_overlap_finds_a_planted_twin(rng):
    train, test = rng.normal(size=(30, 9)), rng.normal(size=(7, 9))
    test[2] = train[5]
    row, similarity = nearest_training(test, train)
    assert row[2] == 5
    assert similarity[2] == pytest.approx(1)
    assert np.delete(similarity, 2).max() < 1


def test_overlap_names_the_nearest_training_image(run):
    found = overlap.overlap(run, "subj01")
    train, test = overlap.class_tokens(run, "subj01")
    row = np.corrcoef(test, train)[: len(test), len(test) :].argmax(axis=1)
    ids = np.unique(run.subject("subj01").train_images)
    np.testing.assert_array_equal(found["nearest"], ids[row])


def test_overlap_summary_has_three_rows_with_intervals(run):
    found = overlap.overlap_summary(run)
    assert len(found) == 3
    assert (found["low"] <= found["value"]).all()


@pytest.mark.parametrize("method", ["ridge", "HAVIR"])
def test_held_out_clusters_are_not_trained_on(run, method):
    scores = overlap.held_out_scores(run, method)
    assert scores["split"].unique().tolist() == list(overlap.SPLITS)
    labels, test_labels = overlap.clusters_of(run)
    train = np.unique(run.subject("subj01").train_images)
    assert len(labels) == len(train)
    wide = scores[scores["metric"] == "image token correlation"].pivot(
        index="image", columns="split", values="value"
    )
    assert not np.allclose(wide["standard"], wide["own cluster removed"])
    assert not np.allclose(wide["as many removed at random"], wide["own cluster removed"])


def test_removed_images_are_gone_from_training(run, monkeypatch):
    seen = []
    monkeypatch.setattr(
        overlap, "_ridge_tokens",
        lambda run, brain: seen.append(brain) or run.predictions("subj01").image_tokens,
    )  # fmt: skip
    train = np.unique(run.subject("subj01").train_images)
    overlap.tokens_without(run, train[:4], "ridge")
    np.testing.assert_array_equal(np.unique(seen[0].train_images), train[4:])


def test_differences_are_paired_against_the_held_out_split(run):
    found = overlap.held_out_differences(run)
    found = found[found["method"] == "ridge"] if "method" in found else found
    assert set(found["baseline"]) == {"own cluster removed"}
    scores = overlap.held_out_scores(run)
    means = scores.groupby(["split", "metric"])["value"].mean()
    for row in found.itertuples():
        expected = means[row.split, row.metric] - means["own cluster removed", row.metric]
        assert row.difference == pytest.approx(expected)


def test_edges_make_complexity():
    flat = np.full((40, 50, 3), 128, np.uint8)
    half = flat.copy()
    half[:, 25:] = 255
    checks = (np.indices((40, 50)).sum(0) // 5 % 2 * 255).astype(np.uint8)
    density = edge_density(np.stack([flat, half, np.stack([checks] * 3, axis=-1)]))
    assert density[0] == 0
    assert 0 < density[1] < density[2] < 1


def test_complexity_is_of_the_test_images_with_the_simulators_beside_it(run):
    table = complexity.scene_complexity(run)
    assert set(table["image"]) == set(run.subject("subj01").test_images)
    assert "simulated complexity" in table
    assert complexity.SCENE_TABLE == SCENES
    assert table.groupby("stratum", sort=False)["edge density"].max().is_unique
    ordered = table.sort_values("edge density")["stratum"].drop_duplicates().tolist()
    assert ordered == list(STRATA)


def test_gain_that_grows_with_complexity_is_found(run, monkeypatch):
    table = complexity.scene_complexity(run).set_index("image")["edge density"]

    def scores(run, methods, **_):
        rows = [
            {"subject": name, "method": method, "image": image, "metric": "PixCorr",
             "value": table[image] * (method == "HAVIR")}
            for name in run.subjects for method in methods for image in table.index
        ]  # fmt: skip
        return pd.DataFrame(rows).sample(frac=1, random_state=0)

    monkeypatch.setattr(Run, "all_scores", scores)
    found = complexity.complexity_test(run).set_index("complexity")
    assert found.loc["edge density", "rho"] == pytest.approx(1)
    assert found.loc["edge density", "p"] < 0.01
    assert found.loc["simulated complexity", "rho"] < 1
    gains = complexity.gain_by_stratum(run).set_index("stratum")["difference"]
    assert gains["simple"] < gains["medium"] < gains["complex"]


def test_gallery_holds_all_test_images_up_to_300(run):
    found = captions.retrieval_scores(run, ("HAVIR", "true targets"))
    n = len(run.subject("subj01").test_images)
    assert set(found["pool"]) == {n}
    true = found[found["method"] == "true targets"]
    assert (true["value"] == 1).all()
    chance = found.set_index("metric")["chance"]["image retrieval top-1"]
    assert chance.iloc[0] == pytest.approx(1 / n)


def test_true_text_tokens_find_their_own_captions(run, monkeypatch):
    monkeypatch.setitem(METHODS, "truth", METHODS["true targets"])
    found = captions.predicted_captions(run, "subj01", "truth")
    assert (found["rank"] == 1).mean() > 0.5
    assert (found["similarity"] <= found["best"] + 1e-6).all()
    assert (found["similarity"] > found["chance"]).mean() > 0.8
    store = run.stimuli
    known = {c for five in store.captions(np.unique(run.subject("subj01").train_images))
             for c in five}  # fmt: skip
    assert set(found["predicted"]) <= known


def test_caption_scores_are_between_chance_and_best(run):
    found = captions.prediction_scores(run).set_index(["method", "subject", "metric"])["value"]
    found = found.sort_index()
    for method in ("HAVIR", "ridge"):
        one = found[method, "mean"]
        assert one["similarity"] <= one["best training caption"]
        assert one["above chance"] == pytest.approx(
            one["similarity"] - one["random training caption"]
        )


def test_claims_are_reported_under_each_crosstalk(run):
    assert crosstalk.crosstalk_levels(run) == [0.0, run.config.simulation.crosstalk]
    assert crosstalk.with_crosstalk(run, run.config.simulation.crosstalk) is run
    found = crosstalk.crosstalk_claims(run)
    assert set(found["claim"]) == {"split", "latent", "tokens"}
    assert not found.duplicated(["crosstalk", "claim", "metric"]).any()
    none = crosstalk.with_crosstalk(run, 0.0, ["subj01"])
    assert none.workspace == run.workspace
    assert none.subjects == ["subj01"]
    np.testing.assert_array_equal(  # the same pictures, other responses
        none.test_stimuli("subj01"), run.test_stimuli("subj01")
    )
    assert not np.allclose(none.subject("subj01").test_betas, run.subject("subj01").test_betas)


def test_measured_data_have_no_crosstalk_setting(tmp_path):
    measured = open_run("paper", {"data.root": str(tmp_path), "workspace": str(tmp_path / "ws")})
    assert crosstalk.crosstalk_levels(measured) == []
    with pytest.raises(ConfigError, match="measured"):
        crosstalk.with_crosstalk(measured, 0.1)
    with pytest.raises(ConfigError, match="none"):
        crosstalk.crosstalk_claims(measured)


def test_embedding_scores_of_methods_without_latents(run):
    found = predicted_scores(run, ("HAVIR", "in the style of MindBridge"), ["subj01"])
    per_method = found.groupby("method")["metric"].unique()
    assert "latent correlation" in per_method["HAVIR"]
    assert "latent correlation" not in per_method["in the style of MindBridge"]


def test_maps_of_other_seeds_are_of_other_networks(run):
    found = importance.seed_stability(run)
    assert len(found) == 2 * len(importance.MAPS)
    assert (found["low"] <= found["rho"]).all()
    assert (found["rho"] <= found["high"]).all()
    assert (found["high"] < 1).all()
