"""NSD's conditions: shown before anything is fetched, and accepted by the user, never by us."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from havir_lib.errors import DataError

WEBSITE = "https://naturalscenesdataset.org"
TERMS = "https://cvnlab.slite.page/p/IB6BSeW_7o/Terms-and-Conditions"
FORM = "https://forms.gle/xue2bCdM9LaFNMeb7"
ANSWER = "I accept"

TEXT = f"""\
The Natural Scenes Dataset belongs to its authors, who give it for research under their own terms.
Its files can be read without an account, but only those may who agreed to the terms:
  1. read the terms and conditions   {TERMS}
  2. fill in the data access form    {FORM}
     (the dataset's website: {WEBSITE})
What is downloaded here must not be passed on: neither data nor stimuli, also not inside notebooks.
"""


NON_COMMERCIAL = (
    "SwAV's weights, for a metric, are under CC BY-NC 4.0: not for commercial use. Without them: "
    "leave SwAV out of evaluation.metrics."
)


def terms_of_use(files: Iterable[str]) -> list[str]:
    """What holds for the use of some files of weights, by their names, one line each."""
    return [NON_COMMERCIAL] if any("swav" in name.lower() for name in files) else []


def require_acceptance(accepted: bool, ask: Callable[[str], str] | None) -> None:
    """Go on only if the user says that the terms are accepted and the form is filled in.

    Parameters
    ----------
    accepted : bool
        Already said, on the command line.
    ask : callable or None
        Shows a question and returns the typed answer; None where nobody can answer.

    Raises
    ------
    DataError
        If there is no such answer.
    """
    if accepted:
        return
    answer = ask(f"I have read the terms and filled in the form; type '{ANSWER}'") if ask else ""
    if answer.strip().lower() != ANSWER.lower():
        raise DataError(
            f"NSD's terms: expected the answer {ANSWER!r}, found {answer.strip()!r}. Nothing was "
            f"downloaded. Read {TERMS}, fill in {FORM}, and run again; where no answer can be "
            "typed, --accept-terms says the same."
        )
