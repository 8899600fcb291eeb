"""What all kinds of regions share: masks out of labelled sets."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


class LabelledSets:
    """Regions whose sets are volumes of labels, named by tables.

    What derives from it says what names mean (``resolve``) and reads the labels; see
    :class:`havir_lib.data.readers.base.Regions`.
    """

    tables: Mapping[str, Mapping[str, int]]

    def resolve(self, name: str) -> tuple[str, str | None]:
        """Set and label that a name means, the label None for a whole set."""
        raise NotImplementedError

    def labels(self, roi_set: str) -> np.ndarray:
        """Labels of a set (X, Y, Z), int32."""
        raise NotImplementedError

    def mask(self, name: str) -> np.ndarray:
        """Boolean mask (X, Y, Z) of a label, or of all labels > 0 of a set."""
        roi_set, label = self.resolve(name)
        values = self.labels(roi_set)
        return values > 0 if label is None else values == self.tables[roi_set][label]

    def listed_names(self) -> list[str]:
        """All of them, a set before its labels."""
        return [x for name, table in self.tables.items() for x in (name, *table)]
