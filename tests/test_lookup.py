"""Rows of images: right, or an error; never another image."""

import numpy as np
import pytest

from havir_lib.errors import DataError
from havir_lib.lookup import rows_of


def test_rows_follow_the_order_asked_for():
    assert rows_of([7, 3, 7], np.array([3, 5, 7]), "scores").tolist() == [2, 0, 2]
    assert rows_of([], np.array([3]), "scores").tolist() == []


def test_an_image_that_is_not_there_is_an_error_not_the_last_one():
    with pytest.raises(DataError, match=r"1 of 2 images have no scores, e\.g\. image 4"):
        rows_of([3, 4], np.array([3, 5]), "scores")


def test_two_rows_of_one_image_are_an_error():
    with pytest.raises(DataError, match="several scores of image 3"):
        rows_of([3], np.array([3, 5, 3]), "scores")
