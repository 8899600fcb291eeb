"""A cached result is built once, resumes after a crash, and is never taken when half done."""

import os

import numpy as np
import pytest

from havir_lib.cache.store import (
    RECIPE,
    _file_content,
    cached,
    content_of,
    damage,
    identity,
    is_finished,
    recipe_of,
)


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


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(bytes(content))


DAMAGES = {
    "a recipe that is gone": (RECIPE, lambda path: path.unlink(), "not finished"),
    "an empty recipe": (RECIPE, lambda path: path.write_text(""), "cannot be read"),
    "a recipe of another kind": (RECIPE, lambda path: path.write_text("[1]"), "cannot be read"),
    "a recipe without files": (RECIPE, lambda path: path.write_text("{}"), "cannot be read"),
    "a file that is gone": ("scores.csv", lambda path: path.unlink(), "scores.csv is missing"),
    "a file that was cut": ("scores.csv", cut, "scores.csv has 10 bytes instead of 11"),
    "a flipped bit": ("sub/array.npy", flip, "content of sub/array.npy has changed"),
}


@pytest.mark.fault("cached files")
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_result_is_made_again_with_a_sentence(tmp_path, kind, caplog):
    def build(folder):
        (folder / "scores.csv").write_text("image,value")
        (folder / "sub").mkdir()
        np.save(folder / "sub" / "array.npy", np.arange(40))

    folder = cached(tmp_path, "scores", {"a": 1}, build)
    whole = content_of(folder)
    (folder / "stray.txt").write_text("not ours")
    name, harm, said = DAMAGES[kind]
    harm(folder / name)
    assert said in damage(folder)
    with caplog.at_level("WARNING"):
        assert cached(tmp_path, "scores", {"a": 1}, build) == folder
    assert said in caplog.text
    assert "made again" in caplog.text
    assert content_of(folder) == whole
    assert not (folder / "stray.txt").exists()
    assert damage(folder) == ""


def test_files_of_a_result_count_by_content_and_others_by_size_and_time(tmp_path):
    def build(folder):
        (folder / "sub").mkdir()
        (folder / "sub" / "large.bin").write_bytes(b"content")

    one, two = (cached(tmp_path / name, "tree", {"a": 1}, build) for name in ("one", "two"))
    assert identity(one / "sub" / "large.bin") == identity(two / "sub" / "large.bin")
    assert identity(one / "sub" / "large.bin")[:2] == ["large.bin", 7]
    own = tmp_path / "own.bin"
    own.write_bytes(b"content")
    before = identity(own)
    os.utime(own, ns=(1, 1))
    assert identity(own) != before
    assert identity(own)[:2] == before[:2] == ["own.bin", 7]


def test_content_is_compared_even_if_size_and_time_stay(tmp_path):
    import os

    folder = cached(tmp_path, "thing", {"a": 1}, _writer([], "a" * 50))
    file = folder / "result.txt"
    status = file.stat()
    flip(file)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    _file_content.cache_clear()  # as in a new process
    assert "changed" in damage(folder)
