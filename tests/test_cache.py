"""A cached result is built once, resumes after a crash, and is never taken when half done."""

import numpy as np
import pytest

from havir_lib.cache import cached, is_finished, recipe_of


def _writer(calls, text="done"):
    def build(folder):
        calls.append(folder.name)
        (folder / "result.txt").write_text(text)

    return build


def test_second_call_returns_the_first_result(tmp_path):
    calls = []
    first = cached(tmp_path, "thing", {"a": 1}, _writer(calls))
    second = cached(tmp_path, "thing", {"a": 1}, _writer(calls))
    assert first == second
    assert len(calls) == 1
    assert (first / "result.txt").read_text() == "done"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": 2}),
        ({"x": np.arange(3)}, {"x": np.arange(3)[::-1]}),
        ({"x": np.zeros((2, 3))}, {"x": np.zeros((3, 2))}),
        ({"x": np.zeros(2, "f4")}, {"x": np.zeros(2, "f8")}),
    ],
)
def test_other_content_is_another_result(tmp_path, one, other):
    calls = []
    assert cached(tmp_path, "t", one, _writer(calls)) != cached(
        tmp_path, "t", other, _writer(calls)
    )
    assert len(calls) == 2


def test_a_crash_leaves_no_result_and_the_next_call_resumes(tmp_path):
    def crash(folder):
        (folder / "half.txt").write_text("so far")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cached(tmp_path, "thing", {"a": 1}, crash)
    assert not any(is_finished(path) for path in (tmp_path / "thing").iterdir())

    seen = []
    folder = cached(
        tmp_path, "thing", {"a": 1}, lambda folder: seen.append((folder / "half.txt").read_text())
    )
    assert seen == ["so far"]
    assert is_finished(folder)


def test_recipe_is_kept_beside_the_result(tmp_path):
    folder = cached(tmp_path, "thing", {"steps": 20, "ids": np.arange(4)}, _writer([]))
    assert recipe_of(folder)["steps"] == 20


def test_remains_without_a_recipe_are_replaced(tmp_path):
    folder = cached(tmp_path, "thing", {"a": 1}, _writer([]))
    (folder / "recipe.json").unlink()
    (folder / "stray.txt").write_text("old")
    again = cached(tmp_path, "thing", {"a": 1}, _writer([], "new"))
    assert again == folder
    assert sorted(path.name for path in again.iterdir()) == ["recipe.json", "result.txt"]
