"""The plan that the runner follows."""

import json
import os
import sys
from pathlib import Path

import pytest
import yaml

from havir_lib.config import CONFIG_DIR, load_config
from havir_lib.data.layout import layout_of
from havir_lib.errors import ConfigError, RunError
from havir_lib.run import open_run
from havir_lib.simulation.tree import write_tree
from havir_lib.workflow import Plan, cells_of

ODD = ["with space", "{x}", "$(touch pwned)", "a#b", "it's", 'say "so"', "50%", "`id`", "naïve"]


@pytest.fixture
def plan(tmp_path):
    return Plan.of("smoke", {"workspace": str(tmp_path)})


def _step(plan, name):
    return next(step for step in plan.steps if step.name == name)


def _request(step):
    return json.loads(step.command[-1])


def test_training_runs_once_per_subject(plan):
    names = [step.name for step in plan.steps if "structural" in step.name]
    assert names == ["04_structural_generator_subj01", "04_structural_generator_subj02"]


def test_transfer_waits_for_the_base_subject(plan):
    base = _step(plan, "05_semantic_extractor_subj01")
    transfer = _step(plan, "05_semantic_extractor_subj02")
    assert base.name in transfer.after
    assert transfer.name not in base.after


def test_reconstruction_waits_for_both_branches_of_all_subjects(plan):
    after = _step(plan, "06_reconstruction").after
    assert sorted(after) == sorted(s.name for s in plan.steps if s.name.startswith(("04", "05")))


def test_the_report_waits_for_everything(plan):
    *notebooks, report = plan.steps
    assert report.after == [step.name for step in notebooks]
    assert report.outputs == [plan.report]


def test_what_most_wait_for_goes_first(plan):
    branches = [
        f"{branch}_{subject}"
        for subject in ("subj01", "subj02")
        for branch in ("04_structural_generator", "05_semantic_extractor")
    ]
    names = ["00_start_here", *branches, "06_reconstruction", "09_interpretability"]
    priorities = [_step(plan, name).priority for name in names]
    assert priorities == sorted(set(priorities), reverse=True)


def test_threads_are_the_profiles(plan):
    more = {"comparison.full": True, "resources.threads": 3, "resources.threads_alone": 5}
    full = {step.name: step.threads for step in Plan.of("smoke", more).steps}
    assert full["00_start_here"] == full["10_controls"] == 5
    assert full["06_reconstruction"] == full["05_semantic_extractor_subj01"] == 3
    assert {step.threads for step in plan.steps} == {1, 2}


def test_only_steps_with_networks_ask_for_a_card(plan, monkeypatch):
    with_card = {step.name[:2] for step in plan.steps if step.resources.get("gpu")}
    assert with_card == {"03", "04", "05", "06", "07", "08", "09"}
    monkeypatch.setenv("HAVIR_DEVICE", "cpu")
    assert not any(step.resources.get("gpu") for step in plan.steps)
    assert {step.resources["mem_mb"] for step in plan.steps} == {plan.config.resources.mem_mb}


def test_outputs_lie_in_the_workspace(plan, tmp_path):
    for step in plan.steps:
        for path in [step.log, *step.outputs]:
            assert Path(path).is_relative_to(tmp_path)


def test_parameters_reach_the_notebook(plan, tmp_path):
    request = _request(_step(plan, "04_structural_generator_subj02"))
    assert request["parameters"]["subject"] == "subj02"
    assert request["parameters"]["overrides"] == {"workspace": str(tmp_path)}


@pytest.mark.parametrize("odd", ODD)
def test_odd_names_reach_the_notebook_as_they_are(tmp_path, odd):
    place = str(tmp_path / odd)
    plan = Plan.of("smoke", {"workspace": place, "data.root": place, "data.n_sessions": None})
    assert plan.folder == Path(place, plan.config.variant, "run")
    written = json.loads(json.dumps(plan.jobs))
    for name, step in written.items():
        if name != "report":
            overrides = json.loads(step["command"][-1])["parameters"]["overrides"]
            assert overrides == {"workspace": place, "data.root": place, "data.n_sessions": None}
        assert step["command"][0] == sys.executable


def test_relative_paths_are_made_absolute_once(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    text = (CONFIG_DIR / "smoke.yaml").read_text() + "\nworkspace: here\n"
    (tmp_path / "mine.yaml").write_text(text)
    plan = Plan.of("mine.yaml", {"data.root": "nsd"})
    assert plan.profile == str(tmp_path / "mine.yaml")
    assert plan.workspace.root == tmp_path / "here" / plan.config.variant
    assert plan.overrides == {
        "data.root": str(tmp_path / "nsd"),
        "workspace": str(tmp_path / "here"),
    }


def test_a_step_runs_again_when_its_notebook_or_settings_change(plan, tmp_path, monkeypatch):
    before = {step.name: step.key for step in plan.steps}
    seeded = Plan.of("smoke", {"workspace": str(tmp_path), "seed": 5})
    assert all(before[step.name] != step.key for step in seeded.steps)
    monkeypatch.setattr("havir_lib.workflow.source_digest", lambda: "another library")
    edited = Plan.of("smoke", {"workspace": str(tmp_path)})
    assert all(before[step.name] != step.key for step in edited.steps)


def test_a_step_runs_again_when_the_profile_is_edited(monkeypatch, tmp_path):
    base, mine = tmp_path / "base.yaml", tmp_path / "mine.yaml"
    base.write_text((CONFIG_DIR / "smoke.yaml").read_text())
    mine.write_text(f"extends: {base}\n")
    before = {step.name: step.key for step in Plan.of(mine).steps}
    base.write_text("# a comment\n" + base.read_text())
    assert before == {step.name: step.key for step in Plan.of(mine).steps}
    base.write_text(base.read_text().replace("n_shared: 8", "n_shared: 9"))
    assert all(before[step.name] != step.key for step in Plan.of(mine).steps)


def test_a_step_runs_again_when_a_data_file_is_corrected(tmp_path):
    config = load_config("smoke")
    write_tree(config, tmp_path)
    profile = config.model_dump(mode="json") | {"simulation": None}
    profile["data"]["root"] = str(tmp_path)
    (tmp_path / "own.yaml").write_text(yaml.safe_dump(profile))

    def keys():
        return {step.name: step.key for step in Plan.of(tmp_path / "own.yaml").steps}

    layout = layout_of(config, tmp_path)
    captions = layout.captions(config.data.captions)[0]
    before = keys()
    for file in (
        layout.roi("subj02", "floc-faces"),
        layout.experiment_design,
        layout.stim_info,
        captions,
    ):
        assert before == keys()
        os.utime(file, ns=(0, 0))
        assert all(before[name] != key for name, key in keys().items()), file
        before = keys()


def test_a_profile_that_is_edited_during_a_run_stops_it(tmp_path, monkeypatch):
    mine = tmp_path / "mine.yaml"
    mine.write_text("extends: smoke\n")
    plan = Plan.of(mine, {"workspace": str(tmp_path)})
    for name, value in _request(plan.steps[0])["variables"].items():
        monkeypatch.setenv(name, value)
    open_run(plan.profile, {**plan.overrides, "comparison.full": True})
    mine.write_text("extends: smoke\nseed: 3\n")
    with pytest.raises(RunError, match="edited after this run had begun"):
        open_run(plan.profile, plan.overrides)


def test_paper_profile_without_data_is_refused():
    with pytest.raises(ConfigError, match="--data"):
        Plan.of("paper")


def test_outputs_of_a_notebook_do_not_count_and_its_cells_do(tmp_path):
    source = {"cells": [{"source": ["a = 1\n", "b = 2"], "outputs": []}]}
    file = tmp_path / "a.ipynb"
    file.write_text(json.dumps(source))
    before = cells_of(file)
    source["cells"][0]["outputs"] = [{"output_type": "stream", "text": "3"}]
    file.write_text(json.dumps(source))
    assert cells_of(file) == before == ["a = 1\nb = 2"]
    source["cells"][0]["source"] = ["a = 2"]
    file.write_text(json.dumps(source))
    assert cells_of(file) != before
