"""Names that a configuration only mentions, looked up before a run starts."""

from __future__ import annotations

import difflib

from havir_lib.config import Config
from havir_lib.errors import ConfigError


def check_names(config: Config) -> None:
    """Look up every metric, extension and region that a profile names.

    Raises
    ------
    HavirError
        Says which is not there, and which name may have been meant.
    """
    from havir_lib.evaluation.metrics import get_metrics  # takes seconds, and doctor needs none
    from havir_lib.run.extensions import load_extensions

    load_extensions(config.extensions)
    get_metrics(config.evaluation.metrics)
    if config.simulated:
        _check_simulated_regions(config)
    else:
        _check_measured_regions(config)


def _check_simulated_regions(config: Config) -> None:
    from havir_lib.data.rois import find_label
    from havir_lib.simulation.regions import ROI_SETS, label_numbers

    tables = {name: label_numbers(name) for name in ROI_SETS}
    for name in _regions(config):
        if find_label(name, tables) is None:
            known = [*tables, *(label for table in tables.values() for label in table)]
            close = difflib.get_close_matches(name, known, n=1)
            hint = f" Did you mean {close[0]!r}?" if close else ""
            raise ConfigError(
                f"data.roles names {name!r}, which simulated subjects do not have.{hint} Known: "
                f"{', '.join(known)}."
            )


def _check_measured_regions(config: Config) -> None:
    from havir_lib.data.layout import layout_of
    from havir_lib.data.nifti import Grid
    from havir_lib.data.rois import RoiAtlas

    for subject in config.data.subjects:
        atlas = RoiAtlas(layout_of(config), subject, Grid((0, 0, 0)))  # no mask is read
        for name in _regions(config):
            atlas.resolve(name)


def _regions(config: Config) -> list[str]:
    return [*config.data.roles.structural, *config.data.roles.semantic]
