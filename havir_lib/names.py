"""Names that a configuration only mentions, and weights, looked up before a run starts."""

from __future__ import annotations

from pathlib import Path

from havir_lib.config import Config
from havir_lib.errors import ConfigError, did_you_mean


def check_names(config: Config) -> None:
    """Look up every metric, extension and region that a profile names, and what its weights know.

    Raises
    ------
    HavirError
        Says which is not there, and which name may have been meant.
    """
    from havir_lib.evaluation.metrics import get_metrics  # takes seconds, and doctor needs none
    from havir_lib.run.extensions import load_extensions

    load_extensions(config.extensions)
    _check_base_model(config)
    get_metrics(config.evaluation.metrics)
    if config.simulated:
        _check_simulated_regions(config)
    else:
        _check_measured_regions(config)


def _check_base_model(config: Config) -> None:
    if config.training.base_model is not None:
        from havir_lib.run.exported import check_same_weights
        from havir_lib.run.targets import content_of_weights
        from havir_lib.training.exported import read_about

        about = read_about(Path(config.training.base_model))
        check_same_weights(about, content_of_weights(config.weights))


def _check_simulated_regions(config: Config) -> None:
    from havir_lib.data.rois import find_label
    from havir_lib.simulation.regions import ROI_SETS, label_numbers

    tables = {name: label_numbers(name) for name in ROI_SETS}
    for name in _regions(config):
        if find_label(name, tables) is None:
            known = [*tables, *(label for table in tables.values() for label in table)]
            hint = did_you_mean(name, known)
            raise ConfigError(
                f"data.roles names {name!r}, which simulated subjects do not have.{hint} Known: "
                f"{', '.join(known)}."
            )


def _check_measured_regions(config: Config) -> None:
    from havir_lib.data.readers import open_reader
    from havir_lib.run.run import check_weights

    reader = open_reader(config)
    check_weights(config, reader.simulated)
    for subject in config.data.subjects:
        regions = reader.regions(subject)
        for name in _regions(config):
            regions.resolve(name)


def _regions(config: Config) -> list[str]:
    return [*config.data.roles.structural, *config.data.roles.semantic]
