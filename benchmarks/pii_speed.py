"""How fast personal data is found: Presidio as it is, ours, and two peers, side by side in one run.

    python benchmarks/pii_speed.py [--rounds 5] [--json]

Texts: 200 chat messages of 50 to 500 characters, and 1, 10, 100 KB of prose and 10, 100 KB of JSON, all
generated with a fixed seed; one value in about 150 characters of prose, several in each JSON row. Rounds
are interleaved: each runs every system once on every text; the table shows medians of CPU time.

Presidio and ours find the same: the same recognizers, the same types, patterns with context words and
no model. Our own recognizers and the tagger for names find more, and have rows of their own. The peers
find less: LangChain's five detectors know e-mail, card, IP, MAC and URL; piighost brings no patterns, and
gets those of Presidio for four types. No text and no value is cached between texts or rounds; how an
ordinary word is split and what the tagger knows of it is, on both sides, as spaCy's tokenizer does.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

from hauberk import Event, Guard, Policy, Segment, Session, Stage
from hauberk_pii import finder_for

Find = Callable[[str], int]
"""Finds personal data in a text; says how much."""

SENTENCES = (
    "I was wondering whether the plan that we talked about last week is still on the table.",
    "We would need to know by the end of the day, because the team wants to order the parts.",
    "The delivery of order 4711-220 was late again, and nobody at the warehouse could say why.",
    "Please call me back on {phone} between nine and five, or write to {mail} if that is easier.",
    "The customer {name} paid with the card {card}, and the refund went to {iban} in March.",
    "Our server at {ip} answered with status 503 for about 12 minutes on 2024-05-01.",
    "As far as I can see, version 2.14.1 mends this, but it has not been rolled out everywhere.",
    "Could you look it up, tell me when it was shipped, and correct the address in the invoice?",
)


def value(rng: random.Random, kind: str) -> str:
    """An invented value."""
    digits = "".join(str(rng.randrange(10)) for _ in range(12))
    match kind:
        case "phone":
            return f"212-{rng.randrange(200, 999)}-{digits[:4]}"
        case "mail":
            return f"user{digits[:4]}@example.com"
        case "name":
            return rng.choice(("Ada Byron", "Charles Miller", "Grace Hopper"))
        case "card":
            return rng.choice(("4111 1111 1111 1111", "5500-0000-0000-0004"))
        case "iban":
            return "DE89 3704 0044 0532 0130 00"
        case _:
            return f"10.{digits[0]}.{digits[1]}.{digits[2:4]}"


def prose(rng: random.Random, size: int) -> str:
    """Running text of `size` characters."""
    kinds = ("phone", "mail", "name", "card", "iban", "ip")
    text = ""
    while len(text) < size:
        text += rng.choice(SENTENCES).format(**{kind: value(rng, kind) for kind in kinds}) + " "
    return text[:size]


def rows(rng: random.Random, size: int) -> str:
    """JSON as tools return it, of about `size` characters."""
    made: list[dict[str, Any]] = []
    while len(json.dumps(made)) < size:
        made += [
            {
                "id": rng.randrange(10**7),
                "sku": f"A{rng.randrange(10**5):05}-77",
                "customer": value(rng, "name"),
                "email": value(rng, "mail"),
                "phone": value(rng, "phone"),
                "at": f"2024-05-{rng.randrange(1, 29):02}T12:30:00Z",
                "total": rng.randrange(10**6) / 100,
            }
            for _ in range(10)
        ]
    return json.dumps(made)


def texts() -> dict[str, list[str]]:
    """What is searched, by name."""
    rng = random.Random(7)  # noqa: S311 - no secrets
    return {
        "chat": [prose(rng, rng.randrange(50, 500)) for _ in range(200)],
        "prose 1 KB": [prose(rng, 1_000) for _ in range(100)],
        "prose 10 KB": [prose(rng, 10_000) for _ in range(10)],
        "prose 100 KB": [prose(rng, 100_000)],
        "JSON 10 KB": [rows(rng, 10_000) for _ in range(4)],
        "JSON 100 KB": [rows(rng, 100_000)],
    }


# --- systems --------------------------------------------------------------------------------------


def presidio() -> Find:
    """The unmodified analyzer over Presidio's own classes, with context words and no model."""
    from presidio_analyzer import AnalyzerEngine, RecognizerRegistry
    from presidio_analyzer.predefined_recognizers import PhoneRecognizer

    from hauberk_pii._engine import BlankEngine
    from hauberk_pii._phone import WindowedPhoneRecognizer

    finder = finder_for(names="structure", strict=True)
    plain = [
        PhoneRecognizer() if isinstance(one, WindowedPhoneRecognizer) else one
        for one in finder.recognizers
    ]
    registry = RecognizerRegistry(recognizers=plain, supported_languages=["en"])
    # Presidio's own engines without a model have empty lemmas: context words would count for nothing.
    engine = AnalyzerEngine(
        registry=registry, nlp_engine=BlankEngine("en"), supported_languages=["en"]
    )
    types = list(finder.entities)
    return lambda text: len(
        engine.analyze(text, language="en", entities=types, score_threshold=finder.threshold)
    )


def ours(names: str, *, strict: bool = False) -> Find:
    """Our finder."""
    finder = finder_for(names=names, strict=strict)
    return lambda text: len(finder.candidates(text))


def langchain() -> Find:
    """The five detectors of LangChain's PIIMiddleware."""
    from langchain.agents.middleware import _redaction

    detectors = list(_redaction.BUILTIN_DETECTORS.values())
    return lambda text: sum(len(detect(text)) for detect in detectors)


def piighost() -> Find:
    """The pattern detector of piighost, with Presidio's patterns for four types."""
    from presidio_analyzer import predefined_recognizers as known

    kinds: tuple[Any, ...] = (known.EmailRecognizer, known.CreditCardRecognizer, known.IpRecognizer)
    patterns: dict[str, str] = {
        k.__name__: "|".join(f"(?:{p.regex})" for p in k().patterns) for k in kinds
    }
    patterns["Iban"] = r"\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){3,7}\b"
    detector = import_module("piighost").RegexDetector(patterns)
    return lambda text: len(asyncio.run(detector.detect(text)))


def systems() -> dict[str, Find]:
    """What is installed, by name."""
    made = {
        "Presidio, patterns with context": presidio(),
        "hauberk, the same recognizers": ours("structure", strict=True),
        "hauberk, its own recognizers": ours("structure"),
        "hauberk, with the name tagger": ours("tagger"),
        "LangChain, 5 detectors": langchain(),
    }
    if find_spec("piighost") is not None:
        made["piighost, 4 patterns"] = piighost()
    else:
        print("piighost is not installed: pip install piighost", file=sys.stderr)
    return made


# --- measuring ------------------------------------------------------------------------------------


def measured(rounds: int) -> dict[str, dict[str, float]]:
    """Median CPU microseconds per text, by system and kind of text."""
    made, searched = systems(), texts()
    samples: dict[str, dict[str, list[float]]] = {n: {k: [] for k in searched} for n in made}
    for find in made.values():
        for several in searched.values():
            find(several[0])  # patterns are compiled and caches of the libraries are warm
    for _ in range(rounds):
        for kind, several in searched.items():
            for name, find in made.items():
                gc.collect()  # what one leaves behind is not the next one's to clear away
                start = time.process_time_ns()
                for text in several:
                    find(text)
                taken = (time.process_time_ns() - start) / 1000
                samples[name][kind].append(taken / len(several))
    return {n: {k: statistics.median(v) for k, v in by.items()} for n, by in samples.items()}


def held_back() -> dict[str, dict[str, float]]:
    """Characters that a streamed answer is behind the model: on average, at the 99th percentile, at most.

    An answer of 10,000 characters with a pseudonym in about 150, in pieces of four. The session never
    issued them, so that what comes out is what went in. `personal data` is its filter alone; `all` is a
    guard with every plugin.
    """
    rng = random.Random(7)  # noqa: S311 - texts, not secrets
    segment = Segment.from_user(prose(rng, 10_000))
    with Session().active():
        asked = Guard(Policy(version=1)).require(Event(stage=Stage.PROMPT, segments=(segment,)))
    answer = asked.segments[0].text
    policies = {"personal data": Policy(version=1, injection=False), "all": Policy(version=1)}
    return {name: _behind(Guard(policy), answer) for name, policy in policies.items()}


PIECE = 4
"""Characters of a piece: about a token."""


def _behind(guard: Guard, answer: str) -> dict[str, float]:
    stream = guard.open_stream(guard.require(Event(stage=Stage.PROMPT)))
    behind: list[int] = []
    shown = ""
    for at in range(0, len(answer), PIECE):
        came = answer[: at + PIECE]
        shown += stream.feed(answer[at : at + PIECE])
        behind.append(len(came) - len(shown))
    if shown + stream.finish().tails["text"] != answer:
        raise RuntimeError("the stream changed the answer")
    return {
        "mean": statistics.mean(behind),
        "p99": statistics.quantiles(behind, n=100)[98],
        "most": max(behind),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true", help="print JSON instead of the table")
    options = parser.parse_args()
    table = measured(options.rounds)
    if options.json:
        packages = ("presidio-analyzer", "langchain", "hauberk")
        versions = {p: version(p) for p in packages}
        print(json.dumps({"us": table, "held_back": held_back(), "versions": versions}, indent=1))
        return
    base = table["Presidio, patterns with context"]
    print(f"{'microseconds per text (times Presidio)':40}" + "".join(f"{k:>20}" for k in base))
    for name, row in table.items():
        cells = "".join(f"{us:>12,.0f} {base[k] / us:>6.1f}x" for k, us in row.items())
        print(f"{name:40}{cells}")
    print("\ncharacters that a stream is behind      mean     p99    most")
    for name, row in held_back().items():
        print(f"{name:32}{row['mean']:>10.2f}{row['p99']:>8.0f}{row['most']:>8.0f}")


if __name__ == "__main__":
    main()
