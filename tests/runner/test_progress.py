"""What is said while a run goes on."""

import os
import time

import pytest

from havir_lib.runner import progress

AFTER = {"00_a": [], "04_b_x": ["00_a"], "05_c_x": ["00_a"], "report": ["04_b_x", "05_c_x"]}
STEPS = {name: {"after": before, "threads": 1} for name, before in AFTER.items()}


def left(running, done, now=None, since=None, known=None, first=()):
    return progress.seconds_left(STEPS, running, done, first, known or {}, now or {}, since or {})


def test_time_left_follows_what_waits_for_what():
    known = {"00_a": 10, "04_b_x": 20, "05_c_x": 30, "report": 5}
    assert left(("00_a",), (), known=known) == pytest.approx(65)  # one core at work so far
    on_both = {**STEPS, "00_a": {**STEPS["00_a"], "threads": 2}}  # nothing can run beside it
    alone = progress.seconds_left(on_both, ("00_a",), (), (), known, {}, {})
    assert alone == pytest.approx(max(10 + 30 + 5, (2 * 10 + 55) / 2))
    beside = left(("04_b_x", "05_c_x"), ("00_a",), known=known, since={"05_c_x": 10.0},
                  first=("00_a",))  # fmt: skip
    assert beside == pytest.approx(max(20 + 5, (20 + 20 + 5) / 2))


def test_a_slower_machine_takes_longer():
    known = {"00_a": 10, "04_b_x": 20, "05_c_x": 30, "report": 5}
    usual = left(("04_b_x",), ("00_a",), known=known, now={"00_a": 10.0})
    slow = left(("04_b_x",), ("00_a",), known=known, now={"00_a": 30.0})
    assert slow == pytest.approx(3 * usual)


def test_a_step_that_takes_longer_than_expected_says_so_for_the_rest():
    known = {"00_a": 10, "04_b_x": 20, "05_c_x": 30, "report": 5}
    soon, late = (left(("00_a",), (), known=known, since={"00_a": s}) for s in (5.0, 40.0))
    assert soon == pytest.approx(65 - 5)
    assert late >= 4 * 55  # the other steps, four times slower
    among = {f"{k:02d}_x": 30 for k in range(10)} | known
    many = tuple(name for name in among if name not in known)
    steady = {"known": among, "now": dict.fromkeys(many, 30.0)}
    one = progress.seconds_left(
        {name: {"after": [], "threads": 1} for name in among}, ("00_a",), many, (),
        since={"00_a": 40.0}, **steady,
    )  # fmt: skip
    assert one < 1.5 * 55  # one late step among ten in time says little about the rest


def test_steps_of_which_nothing_is_known_have_no_estimate():
    assert progress.seconds_left({"x": {"after": []}}, ("x",), (), (), {}, {}, {}) is None
    assert "left" not in progress.line(5, 0, 1, ("x",), None)


def test_the_line_is_for_people():
    said = progress.line(75.4, 3, 18, ("04_structural_generator_subj02",), 361.0)
    assert said == "[1:15] 3 of 18 steps done, about 6 min left: 04 structural generator subj02"
    assert "about 40 s left" in progress.line(0, 1, 2, ("x",), 42.0)


def test_steps_leave_marks_and_their_time(tmp_path):
    progress.begin(tmp_path, "00_a")
    assert (tmp_path / "running" / "00_a").is_file()
    progress.end(tmp_path, "00_a", well=True)
    assert not (tmp_path / "running" / "00_a").exists()
    assert 0 <= progress.took(tmp_path)["00_a"] < 60
    (tmp_path / "running" / "00_a.took").write_text("{")  # damaged: forgotten
    assert progress.took(tmp_path) == {}


def test_something_is_said_at_once_and_at_every_change(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "LOOK", 0.01)
    said = []
    progress.begin(tmp_path, "05_c_x")  # of a run that was killed
    with progress.told(tmp_path, STEPS, said.append):
        progress.begin(tmp_path, "00_a")
        _until(lambda: len(said) == 1)
        progress.end(tmp_path, "00_a", well=True)
        (tmp_path / "done").mkdir()
        (tmp_path / "done" / "00_a").touch()
        progress.begin(tmp_path, "04_b_x")
        _until(lambda: "1 of 4 steps done" in said[-1])
    assert "0 of 4 steps done" in said[0]
    assert said[0].endswith(": 00 a")
    assert said[-1].endswith(": 04 b x")


def test_the_first_picture_is_named_once(tmp_path, monkeypatch):
    monkeypatch.setattr(progress, "LOOK", 0.01)
    monkeypatch.chdir(tmp_path)
    old, new = tmp_path / "old.webp", tmp_path / "new.webp"
    old.touch()
    os.utime(old, (1, 1))  # of another run
    steps = {
        "00_a": {
            "after": [],
            "threads": 1,
            "outputs": [str(old), str(tmp_path / "x.csv"), str(new)],
        }
    }
    said = []
    progress.begin(tmp_path, "00_a")
    with progress.told(tmp_path, steps, said.append):
        progress.begin(tmp_path, "00_a")
        _until(lambda: said)
        (tmp_path / "x.csv").touch()
        new.touch()
        _until(lambda: len(said) == 2)
        time.sleep(0.1)
    assert said[1:] == ["[0:00] first picture: new.webp"]


def _until(true, seconds=20.0):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)
