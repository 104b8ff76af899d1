"""Each difference from Presidio can be switched off by itself, from the policy, and is documented."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

import hauberk_pii
from hauberk import Event, Segment, Stage
from hauberk.policy import Difference, PiiPolicy
from hauberk_pii import DEFAULT_ENTITIES, PiiPlugin, finder_for

TEXTS: dict[Difference, tuple[str, str]] = {
    Difference.CARDS: ("my card is 2649926189141178", "CREDIT_CARD"),
    Difference.SSN: ("my ssn is 078-05-1120", "US_SSN"),
    Difference.NHS: ("item 9434765919 of nhs-blue boxes and more of them there", "UK_NHS"),
    Difference.DRIVER_LICENSES: ("a public A1234567", "US_DRIVER_LICENSE"),
    Difference.BANK_ACCOUNTS: ("bank holiday 945456787654", "US_BANK_NUMBER"),
    Difference.PASSPORTS: ("customer 912803456", "US_PASSPORT"),
    Difference.PHONES: ("order no. 212-555-4676", "PHONE_NUMBER"),
    Difference.SHORT_PHONES: ("phone: 33602 1", "PHONE_NUMBER"),
    Difference.IP_ADDRESSES: ("version 10.1.2.3", "IP_ADDRESS"),
    Difference.URLS: ("it was late though.Al came", "URL"),
    Difference.MAIL_IN_URLS: ("https://img.test/ada@example.com/a.png", "EMAIL_ADDRESS"),
    Difference.WALLETS: ("pay 0x52908400098527886E0F7030069857D2E4169EE7", "CRYPTO"),
    Difference.NATIONAL_NUMBERS: ("il mio codice RSSMRA85T10A562S", "IT_FISCAL_CODE"),
    Difference.HIDDEN: ("card 4111\u200b111111111111", "CREDIT_CARD"),
    Difference.CONTEXT_WORDS: ("der rechner 10.0.0.1", "IP_ADDRESS"),
    Difference.ENCODED: ("mail YWRhQGV4YW1wbGUuY29tIG9r", "EMAIL_ADDRESS"),
}
"""A text that shows the difference, and the type that is concerned."""
LANGUAGES = {Difference.NATIONAL_NUMBERS: "it", Difference.CONTEXT_WORDS: "de"}


def found(difference: Difference, *strict: Difference) -> list[tuple[int, int, float]]:
    """What is found in the text that shows a difference, of its type."""
    text, kind = TEXTS[difference]
    entities = [*DEFAULT_ENTITIES, "URL"]
    finder = finder_for(
        entities=entities, names="off", strict=strict, language=LANGUAGES.get(difference, "en")
    )
    return [(s.start, s.end, s.score) for s in finder.candidates(text) if s.type == kind]


@pytest.mark.parametrize("difference", Difference)
def test_each_can_be_switched_off_by_itself(difference: Difference) -> None:
    # Ours asks seven digits of a phone number, too.
    beside = [Difference.PHONES] if difference is Difference.SHORT_PHONES else []
    presidios = found(difference, difference, *beside)
    assert found(difference, *beside) != presidios
    assert presidios == found(difference, *Difference)


def test_the_policy_switches_them_off() -> None:
    event = Event(
        stage=Stage.PROMPT, segments=(Segment.from_user("card 4111\u200b111111111111"),)
    )  # fmt: skip
    for strict, passes in (((), False), (("hidden",), True), (True, True), (("urls",), False)):
        plugin = PiiPlugin(PiiPolicy.model_validate({"strict": strict, "names": "off"}))
        assert (plugin.inspect(event).segments is None) is passes
    with pytest.raises(ValidationError, match="strict"):
        PiiPolicy.model_validate({"strict": ["everything"]})


def test_each_has_a_row_in_the_readme() -> None:
    readme = Path(hauberk_pii.__file__).with_name("README.md").read_text("utf-8")
    assert [d for d in Difference if f"| `{d}` |" not in readme] == []
