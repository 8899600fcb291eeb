"""Is this environment able to run the project? Standard library only, so it can say "no" anywhere.

``python -m havir_lib.doctor`` prints what is missing and leaves with 1 if anything is.
"""

import importlib.util
import os
import sys
import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
NAME = "havir-companion"


@dataclass(frozen=True)
class PackageFinding:
    """One requirement, what was found, and whether it is satisfied."""

    name: str
    expected: str
    found: str
    ok: bool


def requirements(groups: tuple[str, ...] = ("dev",)) -> list[str]:
    """The requirement lines of ``pyproject.toml``, with its optional `groups`.

    Of an installed package, what it needs to run.
    """
    if not PYPROJECT.is_file():
        return [line for line in metadata.requires(NAME) or [] if "extra ==" not in line]
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    lines = list(project["dependencies"])
    for group in groups:
        lines += project["optional-dependencies"][group]
    return lines


def check_packages(groups: tuple[str, ...] = ("dev",)) -> list[PackageFinding]:
    """Compare every requirement with what is installed.

    Without the ``packaging`` package nothing else can be checked, and that is the one finding.
    """
    if importlib.util.find_spec("packaging") is None:
        return [PackageFinding("packaging", "any version", "not installed", False)]
    return [_check(line) for line in requirements(groups)]


def _check(line: str) -> PackageFinding:
    from packaging.requirements import Requirement

    requirement = Requirement(line)
    expected = str(requirement.specifier) or "any version"
    try:
        found = metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return PackageFinding(requirement.name, expected, "not installed", False)
    ok = requirement.specifier.contains(found, prereleases=True)
    if place := _foreign_place(requirement.name):
        return PackageFinding(requirement.name, expected, f"{found} in {place} (PYTHONPATH)", False)
    return PackageFinding(requirement.name, expected, found, ok)


def _foreign_place(name: str) -> Path | None:
    """The folder of ``PYTHONPATH`` from which a package would be imported, if it is one."""
    place = Path(str(metadata.distribution(name).locate_file(""))).resolve()
    given = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    return place if place in {Path(path).resolve() for path in given} else None


def main(arguments: list[str]) -> int:
    """Print the findings (only problems with ``--quiet``); 0 if all is well."""
    findings = check_packages()
    for finding in findings:
        if not finding.ok or "--quiet" not in arguments:
            mark = "ok     " if finding.ok else "MISSING"
            line = f"{mark} {finding.name}: expected {finding.expected}, found {finding.found}\n"
            sys.stdout.write(line)
    return 0 if all(finding.ok for finding in findings) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
