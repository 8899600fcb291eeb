"""What is done is known by what it was made from."""

import pytest

from havir_lib.runner.marks import DONE, mark, unmark_changed


@pytest.fixture
def steps(tmp_path):
    """Three steps, one after another, and one apart; all done."""
    made = {}
    for name, after in {"c": ["b"], "b": ["a"], "a": [], "apart": []}.items():
        output = tmp_path / f"{name}.csv"
        output.touch()
        made[name] = {"key": f"{name} 1", "after": after, "outputs": [str(output)]}
        mark(tmp_path, name, made[name])
    return made


def marked(folder):
    return {path.name for path in (folder / DONE).iterdir()}


def test_unchanged_steps_stay_done(tmp_path, steps):
    assert unmark_changed(tmp_path, steps) == {"c", "b", "a", "apart"}
    assert marked(tmp_path) == set(steps)


def test_a_changed_step_and_those_after_it_run_again(tmp_path, steps):
    steps["b"]["key"] = "b 2"
    assert unmark_changed(tmp_path, steps) == {"a", "apart"}
    assert marked(tmp_path) == {"a", "apart"}


def test_a_step_whose_output_is_gone_runs_again(tmp_path, steps):
    (tmp_path / "a.csv").unlink()
    assert unmark_changed(tmp_path, steps) == {"apart"}


def test_nothing_is_done_at_first(tmp_path, steps):
    assert unmark_changed(tmp_path / "new", steps) == set()
