"""What an interrupted computation left, cut, emptied and with a flipped byte: the same results."""

import numpy as np
import pytest

from havir_lib.errors import WeightsError
from havir_lib.targets.compute import _write
from tests.faults.test_cached_files import cut, empty, flip
from tests.training.test_loop import Interrupted, contents, run

pytestmark = pytest.mark.fault("cached files")


def gone(path):
    path.unlink()


@pytest.mark.parametrize("harm", [cut, empty, flip, gone])
@pytest.mark.parametrize("name", ["resume.safetensors", "best.safetensors", "history.csv"])
def test_training_goes_on_or_begins_anew(tmp_path, name, harm, caplog):
    run(tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", stop=6, checkpoint_seconds=0)
    harm(tmp_path / "parts" / name)
    run(tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    said = name == "history.csv" or (name, harm) == ("resume.safetensors", gone)
    assert said or "training begins anew" in caplog.text or "It is deleted" in caplog.text


@pytest.mark.parametrize("harm", [cut, empty, flip])
def test_finished_training_that_was_damaged_is_done_again(tmp_path, harm, caplog):
    run(tmp_path / "whole")
    run(tmp_path / "parts")
    harm(tmp_path / "parts" / "last.safetensors")
    run(tmp_path / "parts")
    assert contents(tmp_path / "parts") == contents(tmp_path / "whole")
    assert "It is deleted" in caplog.text


@pytest.mark.parametrize("harm", [cut, empty, flip])
def test_a_damaged_model_is_not_used(tmp_path, harm):
    from havir_lib.training import load_model

    run(tmp_path)
    harm(tmp_path / "best.safetensors")
    with pytest.raises(WeightsError, match=r"best\.safetensors.*Delete it and train again"):
        load_model(tmp_path / "best.safetensors")


IDS = np.arange(10)


def encode(calls, stop=None):
    """Batches of four images; `calls` notes which were asked for."""

    def batches(ids):
        for start in range(0, len(ids), 4):
            part = ids[start : start + 4]
            if stop is not None and stop in part:
                raise KeyboardInterrupt
            calls.append(part.tolist())
            yield np.outer(part + 1, [1, 2, 3]).astype(np.float16), np.ones((len(part), 2), "f2")

    return batches


@pytest.mark.parametrize("harm", [cut, empty, flip, gone])
@pytest.mark.parametrize("name", ["a.npy", "b.npy", "done.json"])
def test_targets_go_on_from_what_is_whole(tmp_path, name, harm):
    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path, ("a", "b"), IDS, encode([], stop=9))
    harm(tmp_path / name)
    calls = []
    _write(tmp_path, ("a", "b"), IDS, encode(calls))
    assert sum(calls, [])[-2:] == [8, 9]
    assert np.array_equal(np.load(tmp_path / "a.npy"), np.outer(IDS + 1, [1, 2, 3]))
    assert np.array_equal(np.load(tmp_path / "b.npy"), np.ones((10, 2)))


def test_only_what_follows_a_damaged_batch_is_computed_again(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        _write(tmp_path, ("a", "b"), IDS, encode([], stop=9))
    array = np.load(tmp_path / "a.npy", mmap_mode="r+")
    array[5] = 7
    array.flush()
    calls = []
    _write(tmp_path, ("a", "b"), IDS, encode(calls))
    assert calls == [[4, 5, 6, 7], [8, 9]]
