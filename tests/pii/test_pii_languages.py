"""The language of a text is told by its small words; a finder for several takes each text for its own."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from hauberk import PolicyError
from hauberk.policy import PiiPolicy
from hauberk_pii import finder_for
from hauberk_pii._context_words import context_words
from hauberk_pii._languages import AUTO, ManyLanguages, first_language, language_of

SENTENCES = {
    "en": ("Please call me back when you have the report.", "Is there anything for us in it?"),
    "de": (
        "Bitte rufen Sie mich unter der Nummer an.",
        "Ich habe die Rechnung noch nicht bekommen",
    ),
    "es": (
        "¿Me puede llamar por favor?",
        "El cliente no está contento con la factura de su pedido",
    ),
    "fr": (
        "Merci de rappeler le client dans la journée.",
        "Je ne suis pas sûr que ce soit la bonne",
    ),
    "it": (
        "Il cliente non è contento della fattura",
        "Grazie, ho già parlato con il medico di ieri",
    ),
    "nl": ("Ik heb de rekening nog niet gekregen", "Kunt u mij terugbellen op dit nummer graag?"),
    "pt": ("O cliente não está contente com a fatura", "Você já falou com ele sobre o seu pedido?"),
}


@pytest.mark.parametrize("language", SENTENCES)
def test_a_sentence_tells_its_language(language: str) -> None:
    assert [language_of(text) for text in SENTENCES[language]] == [language, language]


def test_where_nothing_tells_it_is_the_first() -> None:
    for text in ("", "12345", "Ada Byron", "\ud800", '{"n": 1}', "x" * 10_000):
        assert language_of(text) == "en"
        assert language_of(text, ("nl", "de")) == "nl"


def test_only_what_may_be_is_chosen() -> None:
    assert language_of(SENTENCES["de"][0], ("en", "fr")) in ("en", "fr")


def test_context_words_count_in_their_language() -> None:
    """A score rises where a word of the text's language announces the value."""
    finder = finder_for(entities=["IP_ADDRESS"], language="auto", names="off")
    scores = {
        text: [span.score for span in finder.find(text)]
        for text in ("le serveur est sur 10.0.0.1 dans la", "le lapin est sur 10.0.0.1 dans la")
    }
    assert list(scores.values()) == [[0.95], [0.6]]


@pytest.mark.parametrize("language", AUTO[1:])
def test_each_language_has_context_words(language: str) -> None:
    for kind in ("CREDIT_CARD", "PHONE_NUMBER", "IBAN_CODE", "DATE_TIME"):
        assert len(context_words(language, [kind])) >= 3
    assert context_words("en", ["CREDIT_CARD"]) == []


VALUES = {
    "de": ("Meine Kreditkarte ist 4111 1111 1111 1111, die Telefonnummer 030 901820", {"CREDIT_CARD", "PHONE_NUMBER"}),
    "es": ("Mi número de cuenta es 12345678 y nací el 3 de mayo de 1980: fecha de nacimiento 03/05/1980",
           {"US_BANK_NUMBER", "DATE_OF_BIRTH"}),
    "fr": ("Mon mot de passe est hunter2 et je suis né le 3 mai 1980", {"PASSWORD", "DATE_OF_BIRTH"}),
    "it": ("Il mio codice fiscale è RSSMRA85T10A562S, abito in Via Roma 12, 00184 Roma",
           {"IT_FISCAL_CODE", "STREET_ADDRESS"}),
    "nl": ("Mijn BSN is 111222333 en mijn wachtwoord is geheim1", {"NL_BSN", "PASSWORD"}),
    "pt": ("O meu NIF é 501442600 e a minha senha é segredo1", {"PT_NIF", "PASSWORD"}),
}  # fmt: skip


@pytest.mark.parametrize("language", VALUES)
def test_values_are_found_in_each_language_whatever_is_set(language: str) -> None:
    """Our own words count in every text: with the language told, and with `en`."""
    text, kinds = VALUES[language]
    for setting in ("auto", "en"):
        assert {s.type for s in finder_for(language=setting, names="off").find(text)} >= kinds


NAMES = {
    '{"vorname": "Zzyxa", "nachname": "Qwertz"}': ["Zzyxa", "Qwertz"],
    "Klant: Zzyxa Qwertz": ["Zzyxa Qwertz"],
    "Mit freundlichen Grüßen\nZzyxa Qwertz": ["Zzyxa Qwertz"],
    "Cordiali saluti,\nZzyxa Qwertz": ["Zzyxa Qwertz"],
    "hablé con Señora Qwertz ayer": ["Qwertz"],
    "Sehr geehrte Damen und Herren": [],
    "Kunde: keine Angabe": [],
}


@pytest.mark.parametrize("text", NAMES)
def test_structure_tells_names_in_other_languages(text: str) -> None:
    finder = finder_for(entities=["PERSON"], names="structure")
    assert [text[s.start : s.end] for s in finder.find(text)] == NAMES[text]


def test_a_type_of_one_language_needs_that_one() -> None:
    finder = finder_for(language=("en", "de"), entities=["DE_PASSPORT", "US_SSN"], names="off")
    assert isinstance(finder, ManyLanguages)
    assert finder.entities == ("DE_PASSPORT", "US_SSN")
    with pytest.raises(PolicyError, match="DE_PASSPORT"):
        finder_for(language=("en", "fr"), entities=["DE_PASSPORT"], names="off")


def test_the_policy_names_languages() -> None:
    assert PiiPolicy.model_validate({"language": ["de", "en"]}).language == ("de", "en")
    assert first_language("auto") == "en"
    assert first_language(("de", "en")) == first_language("de") == "de"
    for wrong in ("german", [], ["auto", "de"], [""]):
        with pytest.raises(ValidationError):
            PiiPolicy.model_validate({"language": wrong})
    with pytest.raises(PolicyError, match="language"):
        finder_for(language=("en", "zz"))
