"""Attacks and look-alikes that a small grammar writes.

Public collections hold few kinds of attack, each many times. A grammar of a few hundred lines says
many kinds once: on sources that were held out it raised what the classifier finds.

Rules:
* The same seed gives the same texts.
* Half of the attacks in data stand inside benign texts of the training data, with their span.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from importlib.resources import files

import yaml

from hauberk.injection.train._corpus import Row

SEED = 5
COUNTS = {"user_attack": 2500, "user_benign": 1500, "data_attack": 2500, "data_benign": 500}
EMBEDDED = 2500
"""Attacks that stand in benign texts."""

_SYMBOL = re.compile(r"\{(\w+)\}")
_AROUND = (200, 1200)
"""Characters of the benign text around an attack."""

Grammar = Mapping[str, Sequence[str]]


def written(benign: Sequence[Row]) -> list[Row]:
    """Rows of the grammar; `benign` are texts of the data channel to hide attacks in."""
    rng = random.Random(SEED)  # noqa: S311 - not for secrets
    text = files("hauberk.injection.train").joinpath("grammar.yaml").read_text(encoding="utf-8")
    grammar: Grammar = yaml.safe_load(text)
    rows = [
        Row(text=text, label=int(root.endswith("attack")), user=root.startswith("user"),
            source=f"grammar:{root}", written=True)
        for root, count in COUNTS.items()
        for text in _distinct(grammar, root, count, rng)
    ]  # fmt: skip
    return rows + [_embedded(grammar, rng.choice(benign), rng) for _ in range(EMBEDDED)]


def sample(grammar: Grammar, symbol: str, rng: random.Random) -> str:
    """One text that `symbol` stands for."""
    line = str(rng.choice(grammar[symbol]))
    return _SYMBOL.sub(lambda found: sample(grammar, found.group(1), rng), line).strip()


def _distinct(grammar: Grammar, root: str, count: int, rng: random.Random) -> Iterator[str]:
    seen: set[str] = set()
    for _ in range(3 * count):
        text = sample(grammar, root, rng)
        if text not in seen:
            seen.add(text)
            yield text
        if len(seen) == count:
            return


def _embedded(grammar: Grammar, carrier: Row, rng: random.Random) -> Row:
    root = "user_attack" if rng.random() < 1 / 5 else "data_attack"
    attack = sample(grammar, root, rng)
    size = rng.randrange(*_AROUND)
    start = rng.randrange(max(1, len(carrier.text) - size))
    around = carrier.text[start : start + size]
    place = rng.randrange(len(around) + 1)
    while 0 < place < len(around) and around[place - 1].isalnum():
        place += 1
    gap = rng.choice((" ", "\n", "\n\n"))
    before = around[:place] + gap
    return Row(
        text=before + attack + gap + around[place:],
        label=1,
        user=False,
        source="grammar:embedded",
        span=(len(before), len(before) + len(attack)),
        carrier=carrier.source,
        written=True,
    )
