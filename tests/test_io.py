"""Files appear whole or not at all."""

import numpy as np
import pytest

from havir_lib.io import atomic_write, load_arrays, read_json, save_arrays, write_json


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")

    def crash():
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        crash()
    assert path.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["table.csv"]


def test_the_temporary_name_keeps_a_double_suffix(tmp_path):
    with atomic_write(tmp_path / "mask.nii.gz") as temporary:
        assert temporary.name.endswith(".nii.gz")
        temporary.write_bytes(b"x")


def test_json_bytes_do_not_depend_on_key_order(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": [2]})
    write_json(tmp_path / "b.json", {"a": [2], "b": 1})
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert read_json(tmp_path / "a.json") == {"a": [2], "b": 1}


def test_arrays_come_back_with_dtype_and_shape(tmp_path, rng):
    arrays = {"x": rng.normal(size=(7, 8)).astype("f2"), "ids": np.arange(9)}
    save_arrays(tmp_path / "a.npz", **arrays)
    back = load_arrays(tmp_path / "a.npz")
    assert back["x"].dtype == np.float16
    np.testing.assert_array_equal(back["x"], arrays["x"])
    np.testing.assert_array_equal(back["ids"], arrays["ids"])


def test_pickled_objects_are_refused(tmp_path):
    np.savez(tmp_path / "bad.npz", x=np.array([{"a": 1}], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        load_arrays(tmp_path / "bad.npz")
