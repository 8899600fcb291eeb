"""Settings as people write them: profiles in YAML, overrides in JSON.

What both formats take silently is refused: a key that occurs twice, of which the last would count.
"""

from __future__ import annotations

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from havir_lib.errors import ConfigError

EXAMPLE = """{"diffusion.steps": 50}"""


class _Loader(yaml.SafeLoader):
    """Builds plain values only, and refuses repeated keys and values that contain themselves."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: dict[Any, yaml.Node] = {}
        scalars = (key for key, _ in node.value if isinstance(key, yaml.ScalarNode))
        for key in scalars:
            if key.value in seen and key.tag != "tag:yaml.org,2002:merge":
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value!r} occurs twice", problem_mark=key.start_mark
                )
            seen[key.value] = key
        return super().construct_mapping(node, deep)


def read_yaml(path: Path) -> dict[str, Any]:
    """Settings of a YAML file.

    Raises
    ------
    ConfigError
        If it cannot be read, is not UTF-8 or YAML, repeats a key, contains itself, or holds
        something else than settings.
    """
    try:
        content = yaml.load(Path(path).read_text(encoding="utf-8"), Loader=_Loader)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path}: expected text in UTF-8, found byte {error.object[error.start]:#04x} at "
            f"position {error.start}. Save it as UTF-8."
        ) from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    except RecursionError:
        raise ConfigError(f"{path}: nested too deeply, or contains itself.") from None
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: expected settings as 'key: value', found {content!r:.80}")
    if _contains_itself(content):
        raise ConfigError(f"{path}: a value contains itself; write it without & and *.")
    return content


def _contains_itself(value: Any, above: tuple[int, ...] = ()) -> bool:
    if id(value) in above or not isinstance(value, dict | list):
        return id(value) in above
    parts = value.values() if isinstance(value, dict) else value
    return any(_contains_itself(part, (*above, id(value))) for part in parts)


def read_overrides(text: str) -> dict[str, Any]:
    """Settings to change, from JSON: dotted keys and values.

    Raises
    ------
    ConfigError
        If it is not JSON, repeats a key, or is not an object.
    """
    try:
        content = json.loads(text, object_pairs_hook=_once)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ConfigError(
            f"--overrides: expected JSON such as '{EXAMPLE}', found {text!r:.80} ({error})."
        ) from None
    if not isinstance(content, dict):
        raise ConfigError(
            f"--overrides: expected keys and values such as '{EXAMPLE}', found {text!r:.80}."
        )
    return content


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    keys = [key for key, _ in pairs]
    for key in keys:
        if keys.count(key) > 1:
            raise ConfigError(f"--overrides: the key {key!r} occurs twice.")
    return dict(pairs)
