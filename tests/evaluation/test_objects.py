"""The reader of objects as a metric."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from havir_lib.cache.content import Description
from havir_lib.errors import HavirError
from havir_lib.evaluation.metrics import METRICS
from havir_lib.evaluation.objects import ObjectReader, SameObject, load_reader, pooled
from havir_lib.simulation.scenes import CATEGORIES

CHANNELS, PLACES, KINDS = 3, 4, 2


@pytest.fixture
def reader(tmp_path):
    """One that names 1 if the first channel reaches higher than the second, else 0."""
    weights = np.zeros((2 * CHANNELS, KINDS), "f2")
    weights[CHANNELS, 1] = weights[CHANNELS + 1, 0] = 1
    save_file({"weights": weights, "bias": np.zeros(KINDS, "f4")}, tmp_path / "reader.safetensors")
    load_reader.cache_clear()
    return tmp_path / "reader.safetensors"


def features(*highest):
    """Of pictures whose first and second channel reach these values at one place."""
    maps = np.zeros((len(highest), CHANNELS, PLACES), "f4")
    maps[:, :2, 1] = highest
    return maps.reshape(len(highest), -1)


def test_pooling_is_mean_and_maximum_of_each_channel(rng):
    maps = rng.normal(size=(5, CHANNELS, PLACES))
    found = pooled(maps.reshape(5, -1), CHANNELS)
    np.testing.assert_allclose(found[:, 1], [np.mean(m[1]) for m in maps])
    np.testing.assert_allclose(found[:, CHANNELS + 2], [np.max(m[2]) for m in maps])


def test_same_object_is_one_where_both_pictures_are_named_alike(reader):
    reals, preds = features((2, 1), (1, 2), (3, 1)), features((9, 0), (5, 1), (1, 7))
    assert load_reader(reader).named(reals).tolist() == [1, 0, 1]
    assert SameObject(reader)(reals, preds).tolist() == [1, 0, 0]


def test_key_follows_the_readers_content_and_not_its_place(reader, tmp_path):
    before, copy = Description().of(SameObject(reader)), tmp_path / "copy.safetensors"
    copy.write_bytes(reader.read_bytes())
    assert Description().of(SameObject(copy)) == before
    copy.write_bytes(reader.read_bytes() + b"x")
    assert Description().of(SameObject(copy)) != before


def test_a_missing_or_damaged_reader_is_named(reader, tmp_path):
    with pytest.raises(HavirError, match="--which reader"):
        load_reader(tmp_path / "none.safetensors")
    reader.write_bytes(b"no tensors")
    with pytest.raises(HavirError, match="cannot be read"):
        load_reader(reader)


def test_a_guess_is_one_of_the_categories():
    assert METRICS["Object"].chance == pytest.approx(1 / len(CATEGORIES))


def test_the_shipped_reader_knows_all_categories():
    reader = load_reader(METRICS["Object"].compare.file)
    assert isinstance(reader, ObjectReader)
    assert reader.weights.shape == (2 * 1280, len(CATEGORIES))
    assert np.isfinite(reader.bias).all()
