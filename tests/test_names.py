"""Names are asked for before anything runs."""

import pytest

from havir_lib.config import load_config
from havir_lib.errors import ConfigError, DataError
from havir_lib.names import check_names


@pytest.mark.parametrize("profile", ["demo", "smoke"])
def test_the_profiles_name_what_there_is(profile):
    check_names(load_config(profile))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"evaluation.metrics": ["PixCor"]}, "Unknown metric 'PixCor'.*Did you mean 'PixCorr'"),
        ({"data.roles.structural": ["V1V"]}, "'V1V', which simulated.*Did you mean 'V1v'"),
        ({"data.roles.semantic": ["floc-face"]}, "'floc-face'.*Did you mean 'floc-faces'"),
        ({"data.roles.semantic": ["streams/V1v"]}, "'streams/V1v', which simulated"),
        ({"extensions": ["nothing_there.py"]}, "nothing_there.py, which does not exist"),
    ],
)
def test_unknown_names(settings, said):
    with pytest.raises(ConfigError, match=said):
        check_names(load_config("demo", settings))


def test_regions_of_measured_data_are_looked_up_in_each_subjects_tables(run, tmp_path):
    config = load_config(
        "smoke", {"data.root": str(run.data_root), "data.roles.semantic": ["floc-place"]}
    )
    with pytest.raises(DataError, match="has no ROI 'floc-place'.*Did you mean 'floc-places'"):
        check_names(config)
    check_names(load_config("smoke", {"data.root": str(run.data_root)}))
