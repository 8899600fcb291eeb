"""Methods of a run that compute once: the same question, however it is spelled, has one answer."""

from __future__ import annotations

import functools
import inspect
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from havir_lib.cache.content import copied, frozen
from havir_lib.cache.store import collecting, note

F = TypeVar("F", bound=Callable)


def once(keep: int) -> Callable[[F], F]:
    """Remember the latest `keep` results of a method, by its arguments with defaults filled in.

    Arrays are handed out read-only, tables as copies. The object must have a dictionary ``_made``.
    """

    def decorate(method: F) -> F:
        signature = inspect.signature(method)

        @functools.wraps(method)
        def answer(self: Any, *args: Any, **named: Any) -> Any:
            bound = signature.bind(self, *args, **named)
            bound.apply_defaults()
            question = tuple(bound.arguments.values())[1:]
            made: OrderedDict = self._made.setdefault(method.__name__, OrderedDict())
            if question not in made:
                with collecting() as used:
                    made[question] = frozen(method(*bound.args, **bound.kwargs)), used
                while len(made) > keep:
                    made.popitem(last=False)
            made.move_to_end(question)
            result, used = made[question]
            note(used)
            return copied(result)

        return answer

    return decorate
