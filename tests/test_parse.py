"""Settings as people write them: what is odd is refused, with the file and the place."""

import pytest

from havir_lib.config import load_config
from havir_lib.errors import ConfigError
from havir_lib.parse import read_overrides, read_yaml

pytestmark = pytest.mark.fault("configurations")

ODD_YAML = {
    b"": "expected settings as 'key: value'",
    b"- 1\n- 2\n": "expected settings as 'key: value'",
    b"a: [1": "not valid YAML",
    b"a: 1\na: 2\n": "the key 'a' occurs twice",
    b"a:\n  b: 1\n  c: 2\n  b: 3\n": "the key 'b' occurs twice",
    b"a: &x [*x]\n": "contains itself",
    b"&x {a: *x}\n": "contains itself",
    b"a: \xff\xfe\n": "expected text in UTF-8, found byte 0xff at position 3",
    "a: é\n".encode("latin-1"): "expected text in UTF-8",
    "a: 1\n".encode("utf-16"): "expected text in UTF-8",
    b"a: " + b"[" * 5000 + b"]" * 5000: "nested too deeply",
    b"a: !!python/object/apply:os.system ['true']\n": "not valid YAML",
    b"a: !!python/name:os.system\n": "not valid YAML",
    b"? [1]\n: 2\n": "not valid YAML",
    b"a: \x00\n": "not valid YAML",
}


@pytest.mark.parametrize(("content", "said"), ODD_YAML.items())
def test_odd_yaml(tmp_path, content, said):
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"(?s)mine\.yaml.*{said}"):
        read_yaml(file)


def test_yaml_that_refers_to_itself_elsewhere_is_plain(tmp_path):
    file = tmp_path / "mine.yaml"
    file.write_text("a: &x {b: 1}\nc: {<<: *x, d: 2}\ne: *x\n", encoding="utf-8")
    assert read_yaml(file) == {"a": {"b": 1}, "c": {"b": 1, "d": 2}, "e": {"b": 1}}


def test_a_folder_is_not_a_profile(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        read_yaml(tmp_path)


ODD_JSON = {
    "": "expected JSON",
    "{": "expected JSON",
    "[1]": "expected keys and values",
    "7": "expected keys and values",
    '{"a": 1, "a": 2}': "'a' occurs twice",
    '{"a": {"b": 1, "b": 2}}': "'b' occurs twice",
    "{'a': 1}": "expected JSON",
    "[" * 100000: "expected JSON",
}


@pytest.mark.parametrize(("text", "said"), ODD_JSON.items())
def test_odd_overrides(text, said):
    with pytest.raises(ConfigError, match=f"--overrides: .*{said}"):
        read_overrides(text)


def test_profiles_that_extend_each_other(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(ConfigError, match=r"a\.yaml: extends itself"):
        load_config(tmp_path / "a.yaml")


def test_a_profile_extends_a_file_beside_it(tmp_path):
    (tmp_path / "a.yaml").write_text("extends: b.yaml\nseed: 4\n")
    (tmp_path / "b.yaml").write_text("extends: smoke\nseed: 3\n")
    assert load_config(tmp_path / "a.yaml").seed == 4
    assert load_config(tmp_path / "a.yaml").profile == "smoke"


@pytest.mark.parametrize("base", ["3", "[demo]", "{a: 1}", "''"])
def test_odd_bases(tmp_path, base):
    (tmp_path / "a.yaml").write_text(f"extends: {base}\n")
    with pytest.raises(ConfigError):
        load_config(tmp_path / "a.yaml")
