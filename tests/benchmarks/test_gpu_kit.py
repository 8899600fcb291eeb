"""The kit for a card, at toy size on a CPU: what it measures, in which order, and what it says."""

import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.gpu import __main__ as command
from benchmarks.gpu import notebooks, pack, sampling, training
from benchmarks.gpu.kit import Kit
from benchmarks.replica import write_replica
from havir_lib.paths import PROJECT_ROOT
from havir_lib.workflow import Step


@pytest.fixture(scope="module")
def kit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit")
    kit = Kit.of(folder, True, torch.device("cpu"), 10, folder / "gpu.csv")
    write_replica(kit.replica.root, kit.sizes)
    return kit


@pytest.fixture(scope="module")
def measured(kit):
    """The table after the parts that run networks in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in kit.replica.environment.items():
            patch.setenv(name, value)
        ended = [command._part(kit, name) for name in ("sampler", "training", "units", "memory")]
    table = pd.read_csv(kit.table.path)
    assert ended == [True] * 4, table.to_string()
    return table


def test_results_are_in_the_table_in_the_order_of_the_parts(measured):
    parts = measured["part"].drop_duplicates().tolist()
    assert parts == ["sampler", "training", "units", "memory"]
    assert measured["device"].str.contains("TOY SIZES").all()


def test_outputs_are_compared_before_anything_is_timed(measured):
    for part in ("sampler", "training"):
        rows = measured[measured["part"] == part]
        compared = rows["what"].str.contains("against the").to_numpy().nonzero()[0]
        timed = rows["what"].str.startswith("ours, ").to_numpy().nonzero()[0]
        assert len(compared)
        assert not len(timed) or compared[0] < timed[0]


@pytest.mark.parametrize(
    "what",
    [
        "peers' loop, torch.float32, one image at a time",
        "ours, torch.float32, batches of 2",
        "ours, torch.float32, batches of 2, share of the matrix product's rate",
        "structural, peers' loop",
        "semantic, ours, bfloat16",
        "ridge regression",
        "score, SSIM",
        "targets, latents",
    ],
)
def test_every_unit_is_measured(measured, what):
    value = float(measured.set_index("what").loc[what, "value"])
    assert np.isnan(value) or value > 0  # not a number: a toy's steps are too short to tell


def test_a_sampler_that_differs_is_not_timed(kit, monkeypatch):
    monkeypatch.setattr(sampling, "RELATIVE", 0.0)
    rows = len(kit.table.rows)
    assert not command._part(kit, "sampler")
    found = pd.DataFrame(kit.table.rows[rows:])
    assert "our latents differ" in found.iloc[-1]["value"]
    assert not found["what"].str.startswith("ours, torch").any()


def test_a_branch_whose_loss_differs_is_not_timed(kit, monkeypatch):
    monkeypatch.setattr(training, "RELATIVE", -1.0)
    rows = len(kit.table.rows)
    assert not command._part(kit, "training")
    assert kit.table.rows[-1]["what"] == "FAILED"
    assert not [row for row in kit.table.rows[rows:] if row["unit"] == "images/s"]


def test_what_has_not_begun_in_time_is_left_out(kit):
    late = replace(kit, deadline=0.0)
    assert not command._part(late, "units")
    assert kit.table.rows[-1]["what"] == "left out"


def step(name, code, after=(), priority=0):
    program = [sys.executable, "-c", f"print('said by {name}'); raise SystemExit({code})"]
    return Step(name, program, [], "", list(after), {}, "", priority)


@pytest.fixture
def steps(tmp_path):
    made = [step("a", 0), step("b", 1), step("c", 0, ["a"]), step("d", 0, ["b"]), step("e", 0)]
    return {("run", x.name): replace(x, log=str(tmp_path / x.name), cwd=".") for x in made}


def test_steps_wait_for_others_and_do_not_follow_a_failed_one(kit, steps):
    ended, together, most = [], [], []

    def start(name, step):
        together.append(step.name)
        most.append(len(together))
        job = notebooks.execute(kit, name, step, {})
        together.remove(step.name)
        return job

    jobs = notebooks.side_by_side(steps, start, 2, lambda job: ended.append(job.step.name))
    assert sorted(ended) == ["a", "b", "c", "e"]
    assert ended.index("a") < ended.index("c")
    assert max(most) <= 2
    words = {job.step.name: (job.code, job.last_words) for job in jobs}
    assert words["b"] == (1, "said by b")
    assert words["c"] == (0, "said by c")


def test_a_step_that_runs_over_time_is_stopped(kit, tmp_path):
    slow = replace(step("slow", 0), log=str(tmp_path / "slow"), cwd=".")
    slow = replace(slow, command=[sys.executable, "-c", "import time; time.sleep(60)"])
    job = notebooks.execute(replace(kit, deadline=0.0), "run", slow, {})
    assert job.code == 124
    assert "time was over" in job.last_words


def test_both_runs_are_planned_for_the_card_alone(kit):
    on_card = replace(kit, device=torch.device("cuda"))
    for plan in (notebooks.paper_plan(on_card), notebooks.smoke_plan(on_card)):
        assert plan.config.device == "cuda"
        assert str(plan.workspace.root).startswith(str(kit.folder))
    assert notebooks.paper_plan(on_card).config.profile == "paper"


def test_table_difference():
    table = pd.DataFrame({"metric": ["a", "b"], "value": [0.5, 0.7], "n": [8, 8]})
    table["note"] = [None, "why"]
    assert notebooks.table_difference(table, table.copy()) == 0
    assert notebooks.table_difference(table.assign(value=[0.6, 0.7]), table) == pytest.approx(0.1)
    assert notebooks.table_difference(table[:1], table) == 0  # computed fewer metrics
    assert notebooks.table_difference(table.assign(best=True), table.assign(best=False)) == 0
    assert np.isnan(notebooks.table_difference(table.assign(value=[0.5, None]), table))
    for other in (
        table.assign(n=[8, 9]),
        table.iloc[::-1],
        table[["metric", "value"]],
        table.assign(note=""),
    ):
        with pytest.raises(AssertionError, match="rows"):
            notebooks.table_difference(other, table)


def test_tables_that_differ_from_the_cpu_s_fail(kit, tmp_path):
    for name in notebooks.COMPARED:
        table = pd.read_csv(notebooks.EXPECTED / f"{name}.csv")
        if name == "table4_ablations":
            table["value"] += 2 * notebooks.ALLOWED
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    with pytest.raises(AssertionError, match="table4_ablations differs from the CPU's by 0.1"):
        notebooks.compare(kit, tmp_path)


def test_wheels_are_of_all_that_the_kit_imports_and_nothing_that_is_there():
    what = pack.needed(pack.ROOTS, set(pack.GIVEN))
    names = {line.split("==")[0] for line in what}
    assert {"diffusers", "open-clip-torch", "papermill", "pyzmq", "pydantic-core"} <= names
    assert not names & {*pack.GIVEN, *pack.SPARED, "boto3", "snakemake", "jupyterlab"}
    lock = (PROJECT_ROOT / "requirements.lock").read_text().lower()
    assert all(line in lock.replace("_", "-") for line in what)


def test_lists_of_packages_are_read_in_any_form():
    assert pack.names_in("torch==2.11.0\nScikit_Image 0.25\n") == {"torch", "scikit-image"}
    assert pack.names_in("numpy, pandas, h5py") == {"numpy", "pandas", "h5py"}


def test_wheels_lose_their_tests(tmp_path):
    path = Path(tmp_path / "x-1-py3-none-any.whl")
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("x/__init__.py", "kept = 1")
        wheel.writestr("x/tests/test_x.py", "lost = 1")
    pack.without_tests(path)
    assert zipfile.ZipFile(path).namelist() == ["x/__init__.py"]
