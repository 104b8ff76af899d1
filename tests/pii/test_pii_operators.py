"""What stands for a value: for the model, for a tool, for an index; and how it comes back."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hauberk import Decision, Event, PolicyError, Segment, Session, Stage, Verdict, load_policy
from hauberk.policy import Operator, PiiPolicy
from hauberk_pii import MemoryVault, MemoryVaults, PiiPlugin, Span, Value, finder_for
from hauberk_pii._mask import masked
from hauberk_pii._pseudonyms import Grammar
from hauberk_pii._restore import TextRestorer, restored
from hauberk_pii._spans import resolved
from hauberk_pii.operators import Operators, Script, Surrogates, Writer

CARD, MAIL, IBAN = "4111 1111 1111 1111", "ada@corp.de", "DE89 3704 0044 0532 0130 00"
TEXT = f"My name is Ada Byron, card {CARD}, mail {MAIL}"


class Talk:
    """One session with one plugin."""

    def __init__(self, **policy: Any) -> None:
        self.plugin = PiiPlugin(PiiPolicy.model_validate(policy))
        self.session = Session()

    def decide(self, stage: Stage, text: str = "", **other: Any) -> Decision:
        segments = (Segment.from_user(text),) if text else ()
        return self.plugin.inspect(
            Event(stage=stage, session=self.session, segments=segments, **other)
        )

    def shown(self, text: str, stage: Stage = Stage.PROMPT, **other: Any) -> str:
        decision = self.decide(stage, text, **other)
        assert decision.passes, decision.reason
        return decision.segments[0].text if decision.segments else text

    def answer(self, text: str) -> str:
        return self.shown(text, Stage.COMPLETION)

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        decision = self.decide(Stage.TOOL_CALL, tool=tool, arguments=arguments)
        assert decision.passes, decision.reason
        return dict(decision.arguments or arguments)


# --- for the model --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operator", "wanted"),
    [
        ("pseudonymize", "<CREDIT_CARD_1>"),
        ("mask", "**** **** **** 1111"),
        ("redact", "<CREDIT_CARD>"),
        ("keep", CARD),
    ],
)
def test_each_operator_writes_what_it_says(operator: str, wanted: str) -> None:
    talk = Talk(operators={"CREDIT_CARD": operator})
    assert talk.shown(f"card {CARD}") == f"card {wanted}"


def test_types_that_are_not_named_are_pseudonymized_still() -> None:
    shown = Talk(operators={"CREDIT_CARD": "mask"}).shown(TEXT)
    assert shown == "My name is <PERSON_1>, card **** **** **** 1111, mail <EMAIL_ADDRESS_1>"


def test_a_hash_is_the_same_for_the_same_value_and_the_sessions_own() -> None:
    policy = {"operators": {"EMAIL_ADDRESS": "hash"}}
    one, two = Talk(**policy), Talk(**policy)
    first = one.shown(f"{MAIL} and {MAIL}")
    assert re.fullmatch(r"(<EMAIL_ADDRESS:[0-9a-f]{16}>) and \1", first)
    assert two.shown(f"{MAIL} and {MAIL}") != first
    assert one.answer(first) == first  # nobody can read it back


def test_a_type_that_is_blocked_blocks_the_text_and_is_not_shown() -> None:
    talk = Talk(operators={"CREDIT_CARD": "block"})
    decision = talk.decide(Stage.PROMPT, TEXT)
    assert decision.verdict is Verdict.DENY
    assert decision.findings[0].rule == "pii.blocked"
    assert "CREDIT_CARD" in decision.reason
    assert CARD not in repr(decision)
    assert talk.shown("nothing of that kind") == "nothing of that kind"


def test_what_cannot_be_read_back_is_not_remembered() -> None:
    talk = Talk(operators={"*": "mask"})
    talk.shown(TEXT)
    assert talk.plugin._memory(Event(stage=Stage.PROMPT, session=talk.session)).vault.lookup(
        ["<CREDIT_CARD_1>", "<PERSON_1>", "<EMAIL_ADDRESS_1>"]
    ) == {}  # fmt: skip


# --- surrogates -----------------------------------------------------------------------------------


def test_surrogates_look_real_and_come_back() -> None:
    talk = Talk(operators={"*": "surrogate"})
    shown = talk.shown(TEXT)
    assert not any(value in re.split(r"\b", shown) for value in ("Ada", "Byron"))
    assert not any(value in shown for value in (CARD, MAIL, "<"))
    assert {s.type for s in finder_for().find(shown)} >= {"PERSON", "CREDIT_CARD", "EMAIL_ADDRESS"}
    assert talk.answer(shown) == TEXT
    assert talk.shown(TEXT) == shown


def test_a_model_that_calls_a_person_by_the_first_name_is_understood() -> None:
    talk = Talk(operators={"PERSON": "surrogate"})
    given = talk.shown("My name is Ada Byron")[len("My name is ") :]
    first, last = given.split()
    assert talk.answer(f"Dear {first}, dear Mrs {last}'s") == "Dear Ada, dear Mrs Byron's"
    assert talk.shown("Call Ada Byron or Ada") == f"Call {given} or {first}"


def test_a_text_that_holds_a_surrogate_by_chance_comes_back_as_it_was() -> None:
    talk = Talk(operators={"PERSON": "surrogate"})
    surrogate = talk.shown("My name is Ada Byron").removeprefix("My name is ")
    texts = [f"x {surrogate} y", f"{surrogate}{CARD}", f"{CARD}{surrogate.split()[0]}"]
    for text in texts:
        assert talk.answer(talk.shown(text)) == text


def test_an_earlier_text_that_holds_a_later_surrogate_is_masked_again() -> None:
    probe = Talk(operators={"PERSON": "surrogate"})
    probe.plugin.vaults = FixedVaults()
    surrogate = probe.shown("My name is Ada Byron").removeprefix("My name is ")
    talk = Talk(operators={"PERSON": "surrogate"}, names="structure")
    talk.plugin.vaults = FixedVaults()
    early = f"the {surrogate} case"
    assert talk.shown(early) == early
    assert talk.shown("My name is Ada Byron") == f"My name is {surrogate}"
    assert surrogate not in talk.shown(early)
    assert talk.answer(talk.shown(early)) == early


class FixedVaults(MemoryVaults):
    """Vaults whose secrets are known, so that a test can tell what comes."""

    def vault(self, session: Session) -> MemoryVault:
        vault = MemoryVault()
        vault._secret = bytes(32)
        return vault


@pytest.mark.parametrize("text", [CARD, "4111-1111-1111-1111", "5500000000000004"])
def test_a_surrogate_of_a_card_has_its_shape_and_a_right_check_digit(text: str) -> None:
    [made, *_] = Surrogates(bytes(16)).candidates("CREDIT_CARD", text)
    assert re.sub(r"\d", "0", made) == re.sub(r"\d", "0", text)
    digits = [int(d) for d in made if d.isdigit()][::-1]
    assert sum(d if i % 2 == 0 else sum(divmod(d * 2, 10)) for i, d in enumerate(digits)) % 10 == 0


@given(st.binary(min_size=16, max_size=16))
def test_a_surrogate_of_an_iban_has_its_country_and_right_check_digits(secret: bytes) -> None:
    [made, *_] = Surrogates(secret).candidates("IBAN_CODE", IBAN)
    plain = made.replace(" ", "")
    moved = plain[4:] + plain[:4]
    assert made[:2] == "DE"
    assert int("".join(str(int(char, 36)) for char in moved)) % 97 == 1


@pytest.mark.parametrize(
    ("kind", "text", "before"),
    [
        ("VIN", "1HGCM82633A004352", "VIN "),
        ("IMEI", "490154203237518", "IMEI "),
        ("ICCID", "8914800000000000006", "ICCID "),
        ("BIC", "DEUTDEFF500", "BIC "),
        ("UK_NHS", "943 476 5919", "NHS "),
        ("DATE_OF_BIRTH", "31 December 1985", "born on "),
        ("DATE_OF_BIRTH", "1985-03-12", "dob: "),
        ("STREET_ADDRESS", "12 Baker Street", "at "),
        ("STREET_ADDRESS", "Lindenstraße 4", "in der "),
        ("GEO_COORDINATES", "48.85837, 2.29448", ""),
        ("PHONE_NUMBER", "(212) 555-4676", "phone "),
        ("PASSPORT", "C01X00T47", "Reisepass "),
    ],
)
def test_a_surrogate_is_found_as_what_it_stands_for(kind: str, text: str, before: str) -> None:
    """Its form and its check digit are right, and it is another value."""
    finder = finder_for(entities=[kind])
    for secret in (bytes(16), bytes(range(16))):
        made = next(Surrogates(secret).candidates(kind, text))
        assert made != text
        [found] = finder.find(f"{before}{made}")
        assert (found.start, found.end) == (len(before), len(before) + len(made))


@pytest.mark.parametrize(
    ("language", "text"), [("de", "ADA BYRON"), ("fr", "ada byron"), ("xx", "Ada M. Byron")]
)
def test_a_surrogate_of_a_name_has_its_case_and_words(language: str, text: str) -> None:
    [made, *_] = Surrogates(bytes(16), language).candidates("PERSON", text)
    assert len(made.split()) == len(text.split())
    assert (made.isupper(), made.islower()) == (text.isupper(), text.islower())


def test_addresses_for_examples_are_used() -> None:
    made = Surrogates(bytes(16))
    assert next(made.candidates("EMAIL_ADDRESS", MAIL)).endswith("@example.com")
    assert next(made.candidates("IP_ADDRESS", "10.1.2.3")).startswith("198.1")
    assert next(made.candidates("IP_ADDRESS", "fe80::1")).startswith("2001:db8::")
    assert next(made.candidates("API_KEY", "sk-live-aB3")).startswith("sk-live-")
    assert next(made.candidates("PHONE_NUMBER", "+49 170 1234567")).startswith("+49 ")


def test_two_values_never_share_a_surrogate_and_none_is_a_real_value() -> None:
    vault, script = MemoryVault(), Script(Grammar(["PERSON"]))
    writer, chosen = Writer(vault, script, "nl"), Operators({"*": Operator.SURROGATE})
    names = [f"{a} {b}" for a in ("Jan", "Piet", "Daan", "Emma") for b in ("Bos", "Vos", "Kok")]
    vault.issue([Value("PERSON", "Sem Prins")])
    written = [one.text for one in writer.write([Value("PERSON", n) for n in names], chosen)]
    assert len(set(written)) == len(names)
    assert not {*written} & {*names, "Sem Prins"}


def test_every_worker_that_shares_the_secret_writes_the_same() -> None:
    def write() -> list[str]:
        vault = FixedVaults().vault(Session())
        writer = Writer(vault, Script(Grammar(["PERSON"])), "en")
        return [
            one.text
            for one in writer.write(
                [Value("PERSON", "Ada Byron")], Operators({"*": Operator.SURROGATE})
            )
        ]

    assert write() == write()


_texts = st.lists(
    st.sampled_from(["Ada Byron", "Ada", "Byron", " ", "x", "1", "<PERSON_1>", "'s", "\n", CARD])
    | st.text(max_size=3),
    max_size=12,
).map("".join)


@given(_texts, _texts, st.data())
def test_surrogates_and_restoring_give_the_same_text_in_every_cut(
    first: str, text: str, data: st.DataObject
) -> None:
    vault, script = FixedVaults().vault(Session()), Script(Grammar(["PERSON", "CREDIT_CARD"]))
    writer = Writer(vault, script, "en")
    chosen = Operators({"*": Operator.SURROGATE})

    def hide(text: str) -> str:
        found = [
            Span(m.start(), m.end(), "PERSON", 0.8)
            for m in re.finditer("Ada Byron|Ada|Byron", text)
        ] + [Span(m.start(), m.end(), "CREDIT_CARD", 0.9) for m in re.finditer(CARD, text)]
        return masked(text, resolved(found, text), script, lambda v: writer.write(v, chosen)).text

    done = hide(first)
    # What was invented for the first text may stand in the second one by chance.
    text = text + done[data.draw(st.integers(0, len(done))) :]
    shown = hide(text)
    assert restored(shown, script, vault) == text
    cuts = sorted(data.draw(st.lists(st.integers(0, len(shown)), max_size=6)))
    stream = TextRestorer(script, vault)
    pieces = [shown[a:b] for a, b in zip([0, *cuts], [*cuts, len(shown)], strict=True)]
    assert "".join(map(stream.feed, pieces)) + stream.finish() == text


# --- for a tool -----------------------------------------------------------------------------------


def test_a_tool_gets_only_what_is_revealed_to_it() -> None:
    talk = Talk(reveal={"search_*": {"*": "pseudonymize"}, "send": {"CREDIT_CARD": "mask"}})
    talk.shown(TEXT)
    talk.answer("ok")
    nested = {"q": ["about Ada Byron", {"mail": MAIL}], "n": 3}
    assert talk.call("search_web", **nested) == {
        "q": ["about <PERSON_1>", {"mail": "<EMAIL_ADDRESS_1>"}],
        "n": 3,
    }
    assert talk.call("send", to=MAIL, text=f"card {CARD}") == {
        "to": MAIL,
        "text": "card **** **** **** 1111",
    }
    assert talk.call("other", **nested) == nested


def test_what_such_a_tool_gives_back_is_restored_for_the_application() -> None:
    talk = Talk(reveal={"search": {"*": "pseudonymize"}})
    talk.shown(TEXT)
    talk.answer("ok")
    assert talk.call("search", q="Ada Byron") == {"q": "<PERSON_1>"}
    found = talk.shown("results for <PERSON_1>", Stage.TOOL_RESULT, tool="search")
    assert found == "results for Ada Byron"
    assert talk.shown("<PERSON_1>", Stage.TOOL_RESULT, tool="other") == "<PERSON_1>"


def test_a_value_that_a_tool_may_not_have_at_all_denies_the_call() -> None:
    talk = Talk(reveal={"search": {"CREDIT_CARD": "block"}})
    decision = talk.decide(Stage.TOOL_CALL, tool="search", arguments={"q": CARD})
    assert decision.verdict is Verdict.DENY


def test_an_exact_name_goes_before_globs() -> None:
    talk = Talk(reveal={"*": {"*": "redact"}, "crm": {"*": "keep"}})
    assert talk.call("crm", q=MAIL) == {"q": MAIL}
    assert talk.call("web", q=MAIL) == {"q": "<EMAIL_ADDRESS>"}


# --- for an index ---------------------------------------------------------------------------------


def test_what_enters_an_index_is_masked_so_that_no_session_reads_it_back() -> None:
    talk = Talk()
    entered = talk.shown(f"mail {MAIL}", Stage.INGEST)
    assert entered == "mail <EMAIL_ADDRESS>"
    assert talk.answer(entered) == entered


def test_an_index_may_keep_it_when_the_policy_says_so() -> None:
    talk = Talk(ingest={"*": "keep"})
    assert Stage.INGEST not in talk.plugin.stages
    talk = Talk(ingest={"EMAIL_ADDRESS": "keep"})
    assert talk.shown(f"{MAIL} {CARD}", Stage.INGEST) == f"{MAIL} <CREDIT_CARD>"


@pytest.mark.parametrize(
    "wrong",
    [
        {"ingest": {"*": "pseudonymize"}},
        {"operators": {"PERSON": "shred"}},
        {"reveal": {"send": {"PERSON": True}}},
    ],
)
def test_operators_that_make_no_sense_are_refused_at_load(wrong: dict[str, Any]) -> None:
    with pytest.raises(PolicyError, match="pii"):
        load_policy({"version": 1, "pii": wrong})
