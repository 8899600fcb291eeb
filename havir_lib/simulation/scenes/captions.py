"""Captions in the manner of COCO: five short sentences, each true to the picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from .compose import Composition, Placed
from .drawing import chance, pick
from .stage import SIZE

NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven")
MAX_WORDS = 18


@dataclass(frozen=True)
class _Facts:
    """What a caption may say about a scene."""

    rng: np.random.Generator
    main: Placed
    mains: list[Placed]
    others: list[list[Placed]]
    picture: Composition

    def setting(self) -> str:
        return pick(self.rng, self.picture.setting.phrases)

    def place(self) -> str:
        return pick(self.rng, self.picture.setting.nouns)

    def light(self) -> str:
        light, indoor = self.picture.light, self.picture.setting.indoor
        return pick(self.rng, (light.indoor_phrases if indoor else ()) or light.phrases)

    def subject(self, colour: bool) -> str:
        """The main object with others of its kind, such as "two cats" or "a red car"."""
        return _group(self.rng, self.mains, self.main, colour)

    def extras(self, limit: int = 2) -> str:
        """Some of the other objects, such as "a bench and two birds"."""
        groups = [_group(self.rng, g, g[0], chance(self.rng, 0.4)) for g in self.others[:limit]]
        return " and ".join([", ".join(groups[:-1]), groups[-1]] if len(groups) > 1 else groups)

    def pose(self) -> str:
        poses = self.main.look.pose
        return pick(self.rng, poses) + " " if poses and len(self.mains) == 1 else ""


def write_captions(picture: Composition, rng: np.random.Generator) -> tuple[str, ...]:
    """Write five different captions for a composition; each names the main object."""
    main = next(p for p in picture.placed if p.main)
    seen = [p for p in picture.placed if p.main or _noticeable(p)]
    groups: dict[str, list[Placed]] = {}
    for item in sorted(seen, key=lambda p: p.box[1] - p.box[3]):
        groups.setdefault(item.category.name, []).append(item)
    mains = groups.pop(main.category.name)
    facts = _Facts(rng, main, mains, list(groups.values()), picture)
    captions: list[str] = []
    for template in (_doing, _relating, _listing, _lighting, _viewing):
        text = template(facts)
        while text in captions or len(text.split()) > MAX_WORDS:
            text = template(facts)
        captions.append(text)
    return tuple(captions[i] for i in rng.permutation(len(captions)))


def _noticeable(item: Placed) -> bool:
    x0, y0, x1, y1 = item.box
    return item.visible >= 0.5 and (x1 - x0) * (y1 - y0) >= (0.05 * SIZE) ** 2


def _article(words: str) -> str:
    return ("an " if words[0] in "aeiou" else "a ") + words


def _group(rng: np.random.Generator, items: list[Placed], first: Placed, colour: bool) -> str:
    """Name objects of one category, such as "a red car", "two cats" or "a woman in blue"."""
    pairs, nouns = first.category.nouns, first.look.nouns
    known = colour and len({item.colour for item in items}) == 1 and first.colour[0] != "_"
    dressed = first.category.family == "people"
    before = first.colour + " " if known and not dressed else ""
    after = " in " + first.colour if known and dressed else ""
    if len(items) == 1:
        return _article(before + pick(rng, nouns or tuple(pair[0] for pair in pairs))) + after
    plural = pairs[0][1] if nouns else pick(rng, pairs)[1]
    return f"{NUMBERS[len(items)]} {before}{plural}{after}"


def _sentence(*parts: str) -> str:
    text = " ".join(" ".join(parts).split())
    return text[0].upper() + text[1:] + "."


def _be(facts: _Facts) -> str:
    return "are" if len(facts.mains) > 1 else "is"


def _doing(facts: _Facts) -> str:
    return _sentence(facts.subject(chance(facts.rng, 0.7)), facts.pose(), facts.setting())


def _relating(facts: _Facts) -> str:
    if not facts.others:
        return _alone(facts)
    facts.others.sort(key=lambda group: not group[0].held)
    other = facts.others[0]
    relation = _relation(facts.main, other[0]) if len(other) == 1 else "with"
    words = [facts.subject(chance(facts.rng, 0.5)), relation, facts.extras(1)]
    return _sentence(*words, facts.setting() if chance(facts.rng, 0.4) else "")


def _alone(facts: _Facts) -> str:
    views: list[Callable[[], tuple[str, ...]]] = [
        lambda: ("a close up of", facts.subject(True)),
        lambda: ("a picture of", facts.subject(True), facts.setting()),
        lambda: (
            facts.subject(True),
            "on its own" if len(facts.mains) == 1 else "together",
            facts.setting(),
        ),
    ]
    large = facts.main.box[3] - facts.main.box[1] > 0.4 * SIZE
    return _sentence(*pick(facts.rng, views if large else views[1:])())


def _relation(main: Placed, other: Placed) -> str:
    """Say where the main object is relative to another one."""
    if other.held:
        return "holding"
    m, o = main.box, other.box
    if other.category.zone == "sky" or o[3] < m[1]:
        return "below"
    if main.category.zone == "sky" or m[3] < o[1]:
        return "above"
    across = min(m[2], o[2]) - max(m[0], o[0])
    if across > 0.25 * min(m[2] - m[0], o[2] - o[0]) and abs(main.y - other.y) > 2:
        return "in front of" if main.y > other.y else "behind"
    return "next to" if max(-across, 0) < 0.16 * SIZE else "near"


def _listing(facts: _Facts) -> str:
    rest = facts.extras(2) if facts.others else ""
    joint = " and " if rest and " and " not in rest else ", " if rest else ""
    listed = facts.subject(False) + joint + rest
    time = facts.light() if chance(facts.rng, 0.5) else ""
    return _sentence(_article(facts.place()), time, "with", listed)


def _lighting(facts: _Facts) -> str:
    return _sentence(facts.subject(chance(facts.rng, 0.6)), facts.pose(), facts.light())


def _viewing(facts: _Facts) -> str:
    if facts.others and chance(facts.rng, 0.6):
        single = ("there is", "this is", "a view of")
        start = pick(facts.rng, single if len(facts.mains) == 1 else ("there are", "a view of"))
        return _sentence(start, facts.subject(True), "with", facts.extras(2))
    start = pick(facts.rng, ("there " + _be(facts), "a photo of", "we can see"))
    return _sentence(start, facts.subject(True), facts.setting() + ",", facts.light())
