"""Claims are judged by one rule, from the comparisons that could refute them."""

import pandas as pd
import pytest

from havir_lib.pages import ablations, claims, comparison


@pytest.mark.parametrize(
    ("n_for", "n_against", "expected"),
    [
        (3, 0, "holds"),
        (0, 1, "contradicted"),
        (2, 1, "depends on the score"),
        (0, 0, "undecided"),
    ],
)
def test_verdict(n_for, n_against, expected):
    assert claims.verdict(n_for, n_against) == expected


def test_every_claim_is_judged_from_its_own_rows(run, monkeypatch):
    paired = comparison.paired_to_all(run)
    sure = paired["baseline"].map({"ridge": 0.001, "all voxels": 0.001}).fillna(0.9)
    sign = paired["baseline"].map({"ridge": 1.0, "all voxels": -1.0}).fillna(1.0)
    planted = paired.assign(p_holm=sure, difference=sign)
    monkeypatch.setattr(comparison, "paired_to_all", lambda _: planted)
    found = claims.claims(run).set_index("claim")
    assert len(found) == len(claims.CLAIMS)
    n_metrics = len(run.config.evaluation.metrics)
    ridge = found.loc["Networks beat ridge regression to the same targets"]
    assert (ridge["tests"], ridge["for"], ridge["verdict"]) == (n_metrics, n_metrics, "holds")
    split = found.loc["Divided voxels beat all voxels for both branches"]
    assert (split["against"], split["verdict"]) == (n_metrics, "contradicted")
    assert found.loc["Individual masks beat template masks", "verdict"] == "undecided"


def test_a_lost_latent_counts_for_the_latent(run, monkeypatch):
    def planted(_):
        columns = ["configuration", "metric", "difference", "p_holm", "n", "n_subjects"]
        rows = [("w/o z'", "PixCorr", -0.2, 0.01, 9, 2), ("w/o z'", "MiniCLIP", 0.1, 0.01, 9, 2)]
        return pd.DataFrame(rows, columns=columns)

    monkeypatch.setattr(ablations, "paired_to_full", planted)
    found = claims.claims(run).set_index("claim")
    latent = found.loc["The latent carries the layout: pixel scores fall without it"]
    assert (latent["tests"], latent["for"], latent["verdict"]) == (1, 1, "holds")


def test_without_evidence_there_is_no_row(run):
    core = run.config.comparison.model_copy(update={"full": False})
    core = type(run)(run.config.model_copy(update={"comparison": core}), run.workspace, run.device)
    assert not claims.claims(core)["claim"].str.contains("template masks").any()
