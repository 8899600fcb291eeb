"""Who runs when, and on which card: fake work under the real scheduler."""

import getpass
import itertools
import json
import os
import signal
import sys

import pytest

from havir_lib.paths import PROJECT_ROOT
from tests.runner.conftest import step


def run(start, folder, steps, *extra, **options):
    process = start(folder, {name: step(folder, name, **x) for name, x in steps.items()}, *extra,
                    **options)  # fmt: skip
    said, _ = process.communicate(timeout=120)
    return process.returncode, said


def records(folder):
    return {path.stem: json.loads(path.read_text()) for path in folder.glob("*.json")}


def overlapping(told):
    """Pairs of names that ran at the same time."""
    pairs = itertools.combinations(told, 2)
    return [
        (a, b)
        for a, b in pairs
        if told[a]["start"] < told[b]["end"] and told[b]["start"] < told[a]["end"]
    ]


@pytest.mark.parametrize("n_cards", [1, 2, 4])
def test_one_step_per_card_and_every_card_used(start, tmp_path, n_cards):
    names = [str(card) for card in range(n_cards)]
    work = {f"gpu{n}": {"gpu": 1, "seconds": 1.5} for n in range(n_cards + 2)} | {"cpu": {}}
    code, said = run(start, tmp_path, work, CUDA_VISIBLE_DEVICES=",".join(names))
    assert code == 0, said
    told = records(tmp_path)
    with_card = {name: x for name, x in told.items() if name != "cpu"}
    assert {x["card"] for x in with_card.values()} == set(names)
    for a, b in overlapping(with_card):
        assert told[a]["card"] != told[b]["card"]
    assert told["cpu"]["card"] == ""  # a step without networks sees no card


@pytest.mark.fault("kills and signals")
def test_a_card_comes_back_after_a_kill(start, tmp_path, wait_for):
    steps = {"first": step(tmp_path, "first", seconds=60, gpu=1)}
    process = start(tmp_path, steps, CUDA_VISIBLE_DEVICES="GPU-b3/1")
    wait_for(tmp_path / "first.began")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    code, said = run(start, tmp_path, {"second": {"gpu": 1}}, CUDA_VISIBLE_DEVICES="GPU-b3/1")
    assert code == 0, said
    assert records(tmp_path)["second"]["card"] == "GPU-b3/1"


@pytest.mark.fault("two at once")
def test_two_runs_share_the_cards_too(start, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
    started = [
        start(folder, {folder.name: step(folder, folder.name, 2, gpu=1)}, CUDA_VISIBLE_DEVICES="3")
        for folder in folders
    ]
    assert [process.wait(timeout=60) for process in started] == [0, 0]
    assert not overlapping(records(folders[0]) | records(folders[1]))


def test_memory_is_never_over_what_there_is(start, tmp_path):
    work = {f"s{n}": {"mem_mb": 400, "seconds": 1} for n in range(4)}
    code, said = run(start, tmp_path, work, "--resources", "mem_mb=900")
    assert code == 0, said
    told = records(tmp_path)
    for moment in [x["start"] for x in told.values()]:
        assert sum(x["start"] <= moment < x["end"] for x in told.values()) <= 2


def test_threads_are_the_steps_whatever_the_cores(start, tmp_path):
    code, said = run(start, tmp_path, {"s": {"threads": 3}}, cores="1")
    assert code == 0, said
    assert records(tmp_path)["s"]["threads"] == "3"


def test_only_what_is_missing_or_changed_runs_again(start, tmp_path):
    steps = {"a": {}, "b": {"after": ["a"]}, "c": {}}
    assert run(start, tmp_path, steps)[0] == 0
    before = records(tmp_path)
    assert run(start, tmp_path, steps)[0] == 0
    assert records(tmp_path) == before
    (tmp_path / "b.json").unlink()
    assert run(start, tmp_path, steps)[0] == 0
    after = records(tmp_path)
    assert (after["a"], after["c"]) == (before["a"], before["c"])
    assert after["b"] != before["b"]


ODD = [
    " a b'c\"d $(touch pwned) `id` {x} {{y}} #2 %s ; & * ? [z] ~ = , : \\ é 日 ",
    "--option",
    "{connection_file}",
    "new\nline",
]


@pytest.mark.parametrize("name", ODD)
def test_the_scheduler_takes_odd_paths_as_they_are(start, tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    code, said = run(start, folder, {"a": {}, "b": {"after": ["a"]}})
    assert code == 0, said
    assert set(records(folder)) == {"a", "b"}
    assert {path.name for path in tmp_path.iterdir()} <= {name, f"havir-cards-{getpass.getuser()}"}
    assert not (PROJECT_ROOT / "pwned").exists()


@pytest.mark.fault("users, folders and file systems")
@pytest.mark.parametrize("given", [{}, {"XDG_CACHE_HOME": "/somewhere/else"}])
def test_no_home_is_needed_and_a_step_has_the_cache_of_its_user(start, tmp_path, given):
    say = "import os; open('said.json', 'w').write(os.environ.get('XDG_CACHE_HOME', 'none'))"
    asking = step(tmp_path, "said") | {"command": [sys.executable, "-c", say]}
    process = start(tmp_path, {"said": asking}, HOME="/proc/nowhere", **given)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert (tmp_path / "said.json").read_text() == given.get("XDG_CACHE_HOME", "none")
