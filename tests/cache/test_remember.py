"""``remember``: one key per content of code and arguments, results read-only, users' code too."""

import logging
from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch

from havir_lib.cache.content import Description, array_digest, recipe_of_call
from havir_lib.cache.remember import remember, remember_folder
from havir_lib.config import load_config
from havir_lib.errors import CacheError
from havir_lib.evaluation import get_metrics, identification
from havir_lib.evaluation.metrics import Metric, Preparation
from havir_lib.models import predict_ridge
from havir_lib.training import Predictions

log = logging.getLogger("calls")  # what is logged does not count as code
FACTOR = 3


def times(x, factor=2, device="cpu"):
    log.warning(device)
    return x * factor


def by_global(x):
    return x * FACTOR


def by_helper(x):
    return helper(x) + 1


def helper(x):
    return x * 2


@pytest.fixture
def calls(caplog):
    """Function that gives the devices of all calls so far."""
    return lambda: [record.message for record in caplog.records if record.name == "calls"]


def test_a_call_is_made_once_however_it_is_spelled(tmp_path, calls):
    x = np.arange(4.0)
    first = remember(tmp_path, "t", times, x, 2)
    for again in (
        remember(tmp_path, "t", times, x.copy(), factor=2),
        remember(tmp_path, "t", times, x=x),
    ):
        np.testing.assert_array_equal(again, first)
    assert len(calls()) == 1
    assert remember(tmp_path, "t", times, x, 5)[1] == 5
    assert len(calls()) == 2


def test_how_is_passed_on_and_does_not_count(tmp_path, calls):
    remember(tmp_path, "t", times, np.arange(3), how={"device": "cuda"})
    remember(tmp_path, "t", times, np.arange(3), how={"device": "cpu"})
    assert calls() == ["cuda"]
    how = {"device": "cpu"}
    remember(tmp_path, "t", times, np.arange(3), how=how, given={"file": "other"})
    assert calls() == ["cuda", "cpu"]


def test_arrays_cannot_be_changed(tmp_path):
    for _ in range(2):  # as made, and as found
        made = remember(tmp_path, "t", times, np.arange(3))
        with pytest.raises(ValueError, match="read-only"):
            made += 1


@pytest.mark.parametrize(
    "result",
    [
        np.arange(6).reshape(2, 3),
        {"a": np.ones(2), "b": None},
        pd.DataFrame({"image": [1, 2], "value": [0.1 + 0.2, 1 / 3], "name": ["x", "y"]}),
        Predictions(None, np.ones((2, 3, 4)), None, np.arange(2)),
    ],
    ids=lambda x: type(x).__name__,
)
def test_results_come_back_as_they_were(tmp_path, result):
    for _ in range(2):
        found = remember(tmp_path, "t", give, result)
        assert type(found) is type(result)
        assert Description().of(found) == Description().of(result)


def give(x):
    return x


def test_what_cannot_be_kept_is_refused(tmp_path):
    with pytest.raises(CacheError, match="A str cannot be kept"):
        remember(tmp_path, "t", give, "text")
    with pytest.raises(CacheError, match="without its index"):
        remember(tmp_path, "t", give, pd.DataFrame({"a": [1]}, index=["x"]))


def test_what_has_no_content_is_refused(tmp_path):
    with pytest.raises(CacheError, match="x: a PosixPath cannot be identified"):
        remember(tmp_path, "t", times, tmp_path)
    with pytest.raises(CacheError, match=r"x\['net'\]: a object cannot"):
        remember(tmp_path, "t", times, {"net": object()})


def key(function, *arguments):
    return recipe_of_call(function, dict(enumerate(arguments)))


def test_globals_and_helpers_of_a_users_function_count(monkeypatch):
    before = key(by_global), key(by_helper)
    monkeypatch.setitem(globals(), "FACTOR", 4)
    assert key(by_global)["code"] != before[0]["code"]
    assert key(by_helper) == before[1]
    monkeypatch.setitem(globals(), "helper", by_global)
    assert key(by_helper)["code"] != before[1]["code"]


def test_bound_arguments_count():
    a, b = (partial(predict_ridge, folds=n) for n in (3, 4))
    assert key(give, a) != key(give, b)
    assert (
        key(a)["code"] != key(b)["code"] or key(give, a)["arguments"] != key(give, b)["arguments"]
    )


def test_the_code_of_a_metric_that_is_passed_counts(monkeypatch):
    (metric,) = get_metrics(["CLIP"])
    found = Description()
    found.of([metric])
    assert "havir_lib.evaluation.identification:share_beaten" in found.used.sources
    assert identification.__name__ == "havir_lib.evaluation.identification"


def test_what_a_metric_is_called_by_readers_does_not_count():
    one, other = (
        Metric("M", by_global, Preparation(64), description=text) for text in ("that", "this")
    )
    assert Description().of(one) == Description().of(other)


def test_networks_count_by_their_weights():
    first, second = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    assert key(give, first) != key(give, second)
    second.load_state_dict(first.state_dict())
    assert key(give, first) == key(give, second)


def test_versions_of_packages_that_compute_are_in_the_key():
    packages = key(predict_ridge)["packages"]
    assert packages["torch"] == torch.__version__.split("+")[0]
    assert "tqdm" not in packages


def test_settings_count_by_value():
    config = load_config("smoke")
    other = config.ridge.model_copy(update={"folds": 9})
    assert key(give, config.ridge) != key(give, other)
    assert key(give, config.ridge) == key(give, config.ridge.model_copy())


@dataclass(frozen=True)
class Own:
    content: tuple


def test_content_of_tables_types_and_shapes():
    of = Description().of
    table = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    assert of(table) == of(table.copy())
    assert of(table) != of(table.rename(columns={"a": "c"}))
    assert of(table) != of(table.set_axis([3, 4]))
    assert of(np.zeros(2, "f4")) != of(np.zeros(2, "f8"))
    assert of(np.zeros((2, 3))) != of(np.zeros((3, 2)))
    assert of(Own((1, 2))) != of(Own((1, 3)))
    assert of(1) != of(True) or of(1) == 1
    assert of(0.1 + 0.2) != of(0.3)


def test_hash_of_a_frozen_array_is_remembered_and_of_another_is_not():
    array = np.arange(5)
    before = array_digest(array)
    array[0] = 7
    assert array_digest(array) != before
    array.flags.writeable = False
    assert array_digest(array) == array_digest(array.copy())


def write(folder, text, device="cpu"):
    log.warning(device)
    (folder / "text.txt").write_text(text)


def test_folders_stand_for_the_content_of_their_files(tmp_path, calls):
    one = remember_folder(tmp_path, "f", write, "a", how={"device": "x"})
    assert remember_folder(tmp_path, "f", write, "a", how={"device": "y"}) == one
    assert calls() == ["x"]
    other = remember_folder(tmp_path, "g", write, "a")
    assert Description().of(one) == Description().of(other)
    assert Description().of(one) != Description().of(remember_folder(tmp_path, "f", write, "b"))
