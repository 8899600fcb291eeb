"""The plan that Snakemake follows."""

import json

import pytest

from havir_lib.errors import ConfigError
from havir_lib.workflow import Plan


@pytest.fixture
def plan(tmp_path):
    overrides = json.dumps({"workspace": str(tmp_path)})
    return Plan.from_arguments({"profile": "smoke", "overrides": overrides})


def _step(plan, name):
    return next(step for step in plan.steps if step.name == name)


def test_training_runs_once_per_subject(plan):
    names = [step.name for step in plan.steps if "structural" in step.name]
    assert names == ["nb04_structural_generator_subj01", "nb04_structural_generator_subj02"]


def test_transfer_waits_for_the_base_subject(plan):
    base = _step(plan, "nb05_semantic_extractor_subj01")
    transfer = _step(plan, "nb05_semantic_extractor_subj02")
    assert base.executed in transfer.after
    assert transfer.executed not in base.after


def test_reconstruction_waits_for_both_branches_of_all_subjects(plan):
    after = _step(plan, "nb06_reconstruction").after
    trained = [s.executed for s in plan.steps if s.name.startswith(("nb04", "nb05"))]
    assert sorted(after) == sorted(trained)


def test_what_most_wait_for_goes_first(plan):
    branch = "04_structural_generator"
    names = ["00_start_here", f"{branch}_subj01", f"{branch}_subj02", "06_reconstruction"]
    priorities = [_step(plan, f"nb{name}").priority for name in [*names, "09_interpretability"]]
    assert priorities == sorted(set(priorities), reverse=True)


def test_threads_are_the_same_in_every_run(plan):
    full = Plan.from_arguments({"profile": "smoke", "overrides": '{"comparison.full": true}'})
    threads = {step.name: step.threads for step in full.steps}
    assert {step.name: threads[step.name] for step in plan.steps} == {
        step.name: step.threads for step in plan.steps
    }
    assert threads["nb10_controls"] == 2


def test_outputs_lie_in_the_workspace(plan, tmp_path):
    for step in plan.steps:
        for path in [step.executed, step.log, *step.outputs]:
            assert path.startswith(str(tmp_path))


def test_parameters_reach_the_notebook(plan, tmp_path):
    parameters = json.loads(_step(plan, "nb04_structural_generator_subj02").parameters)
    assert parameters["subject"] == "subj02"
    assert parameters["overrides"] == {"workspace": str(tmp_path)}


def test_data_folder_becomes_a_setting():
    plan = Plan.from_arguments({"profile": "paper", "data": "somewhere"})
    assert plan.config.data.root == "somewhere"


def test_paper_profile_without_data_is_refused():
    with pytest.raises(ConfigError, match="--data"):
        Plan.from_arguments({"profile": "paper"})
