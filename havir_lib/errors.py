"""Errors a user can act on: what was expected, what was found, what to do."""

import difflib
from collections.abc import Iterable


class HavirError(Exception):
    """Base class of every error this library raises on purpose."""


class ConfigError(HavirError):
    """The configuration is wrong: unknown key, impossible value, unknown profile."""


class DataError(HavirError):
    """A data file is missing, corrupt, or does not hold what its layout promises."""


class SplitError(DataError):
    """Training and test images overlap, or one of the two sets is empty."""


class ShapeError(HavirError):
    """Two arrays that must agree in shape do not."""


class SpaceError(HavirError):
    """A brain map is in another space than the picture or transform it is meant for."""


class CacheError(HavirError):
    """A result cannot be cached: it cannot be told what it depends on, or how to keep it."""


class WeightsError(HavirError):
    """Model weights are missing, incomplete, or belong to another architecture."""


class DamagedError(WeightsError):
    """A file of weights is not what it was when it was written."""


def did_you_mean(name: str, known: Iterable[str], start: str = " Did you mean") -> str:
    """A hint for a message: the known name that is most like `name`; empty if none is."""
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"{start} {close[0]!r}?" if close else ""


def require_file(path, what: str, remedy: str):
    """Return `path` if it is a file, else raise :class:`DataError` naming it.

    Parameters
    ----------
    path : pathlib.Path
        File that must exist.
    what : str
        What the file is, for the message, e.g. ``"betas of subj01, session 3"``.
    remedy : str
        What the reader can do, e.g. a command.
    """
    if not path.is_file():
        raise DataError(f"{what}: expected the file {path}, but it does not exist. {remedy}")
    return path


class RunError(HavirError):
    """A run cannot start: another one is going on, or there is no room."""
