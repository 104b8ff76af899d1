"""What is found by default, as a table: text, the words that are hidden, and their type.

Near misses stand beside: a row without words promises that nothing is hidden.
"""

from __future__ import annotations

import pytest

from hauberk import PolicyError
from hauberk_pii import DEFAULT_ENTITIES, Finder, finder_for
from hauberk_pii._entities import NATIONAL_ENTITIES

ROWS = [
    ("mail ada@example.com now", "EMAIL_ADDRESS", ["ada@example.com"]),
    ("ADA.B+x@mail.example.co.uk, zoë@müller.de", "EMAIL_ADDRESS", ["ADA.B+x@mail.example.co.uk", "zoë@müller.de"]),
    ("a@b, x@y.notatld and ada@@example", "EMAIL_ADDRESS", []),
    ("see https://img.test/a.png?q=jane.doe@example.com&c=1 now", "EMAIL_ADDRESS", ["jane.doe@example.com"]),
    ("https://x/?u=ada.lovelace%40example.com", "EMAIL_ADDRESS", ["ada.lovelace%40example.com"]),
    ("http://h/ada@example.com/next and https://x/?u=ada@v1.notatld", "EMAIL_ADDRESS", ["ada@example.com"]),
    ("call 212-555-4676 or +44 20 7946 0958", "PHONE_NUMBER", ["212-555-4676", "+44 20 7946 0958"]),
    ("phone: (212) 555-4676 ext. 12", "PHONE_NUMBER", ["(212) 555-4676 ext. 12"]),
    ("10117 Berlin, order 30123", "PHONE_NUMBER", []),
    ("card 4111 1111 1111 1111 or 4111-1111-1111-1111", "CREDIT_CARD", ["4111 1111 1111 1111", "4111-1111-1111-1111"]),
    ("card 4111 1111 1111 1112", "CREDIT_CARD", []),
    ("DE89370400440532013000 and GB82 WEST 1234 5698 7654 32", "IBAN_CODE", ["DE89370400440532013000", "GB82 WEST 1234 5698 7654 32"]),
    ("DE88370400440532013000", "IBAN_CODE", []),
    ("ssn 536-90-4399", "US_SSN", ["536-90-4399"]),
    ("my social security number is 536904399", "US_SSN", ["536904399"]),
    ("ticket 536904399", "US_SSN", []),
    ("itin 912-70-1234", "US_ITIN", ["912-70-1234"]),
    ("my passport 912803456", "US_PASSPORT", ["912803456"]),
    ("the customer status 912803456", "US_PASSPORT", []),
    ("NHS number 943 476 5919", "UK_NHS", ["943 476 5919"]),
    ("nino AB 12 34 56 C", "UK_NINO", ["AB 12 34 56 C"]),
    ("from 192.168.7.13 to 2001:db8::ff00:42:8329", "IP_ADDRESS", ["192.168.7.13", "2001:db8::ff00:42:8329"]),
    ("999.1.2.3 at 12:30 in version 1.2.3", "IP_ADDRESS", []),
    ("mac 00:1A:2b:3c:4d:5e or 001a.2b3c.4d5e", "MAC_ADDRESS", ["00:1A:2b:3c:4d:5e", "001a.2b3c.4d5e"]),
    ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", "CRYPTO", ["1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2"]),
    ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN3", "CRYPTO", []),
    ("DEA BB1388568", "MEDICAL_LICENSE", ["BB1388568"]),
    ("key AKIAIOSFODNN7EXAMPLE.", "API_KEY", ["AKIAIOSFODNN7EXAMPLE"]),
    ("ghp_0123456789abcdefghijABCDEFGHIJ012345", "API_KEY", ["ghp_0123456789abcdefghijABCDEFGHIJ012345"]),
    ("OPENAI_API_KEY=sk-proj-aB3dE6gH9jK2mN5pQ8sT", "API_KEY", ["sk-proj-aB3dE6gH9jK2mN5pQ8sT"]),
    ("xoxb-123456789012-abcdefABCDEF", "API_KEY", ["xoxb-123456789012-abcdefABCDEF"]),
    ("AIzaSyA1234567890abcdefghijklmnopqrstuv", "API_KEY", ["AIzaSyA1234567890abcdefghijklmnopqrstuv"]),
    ("Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJl", "API_KEY", ["eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTYifQ.c2lnbmF0dXJl"]),
    ("risk-based, task-force, sk-learn, AKIA, eyJ and a skeleton", "API_KEY", []),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIB\nAAKC==\n-----END RSA PRIVATE KEY-----", "PRIVATE_KEY", ["-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIB\nAAKC==\n-----END RSA PRIVATE KEY-----"]),
    ("-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\nAB", "PRIVATE_KEY", ["-----BEGIN PRIVATE KEY-----\\nMIIEvQ\\nAB"]),
    ("-----BEGIN PUBLIC KEY-----\nMIIBI", "PRIVATE_KEY", []),
    ("postgres://app:s3cret!@db.example.com/x", "URL_CREDENTIALS", ["app:s3cret!@db.example.com"]),
    ("redis://:hunter2@cache:6379", "URL_CREDENTIALS", [":hunter2@cache"]),
    ("http://example.com:80/a@b", "URL_CREDENTIALS", []),
    ("call (555) 123-4567 or +1-555-777-8888", "PHONE_NUMBER", ["(555) 123-4567", "+1-555-777-8888"]),
    ("Tel. 030 123456, Telefon: 089/4567-12", "PHONE_NUMBER", ["030 123456", "089/4567-12"]),
    ("order no. 212-555-4676, part number: 555-123-4567-A, SKU 2125554676", "PHONE_NUMBER", []),
    ("invoice #2125554676, tracking id: 212-555-4676", "PHONE_NUMBER", []),
    ("550e8400-e29b-41d4-a716-212555467600", "PHONE_NUMBER", []),
    ("card 630427373398, visa: 4131034282458809939", "CREDIT_CARD", ["630427373398", "4131034282458809939"]),
    ("2649926189141178 and 630427373398", "CREDIT_CARD", ["2649926189141178"]),
    ("Kreditkarte 5019717010103742", "CREDIT_CARD", ["5019717010103742"]),
    ("1234 5678 90 and 1234567890123", "CREDIT_CARD", []),
    ("SSN 123-45-6789, social security: 078-05-1120", "US_SSN", ["123-45-6789", "078-05-1120"]),
    ("item 123-45-6789", "US_SSN", []),
    ("order 9434765919 and 943-476-5919", "UK_NHS", []),
    ("her driver's license is D1234567, DL: F162823540116", "US_DRIVER_LICENSE", ["D1234567", "F162823540116"]),
    ("public policy A1234567 of the licensee", "US_DRIVER_LICENSE", []),
    ("account number: 000123456789, Kontonummer 1234567", "US_BANK_NUMBER", ["000123456789", "1234567"]),
    ("order 000123456789", "US_BANK_NUMBER", []),
    ("0x52908400098527886E0F7030069857D2E4169EE7", "CRYPTO", ["0x52908400098527886E0F7030069857D2E4169EE7"]),
    ("LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9", "CRYPTO", ["LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH9"]),
    ("rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh", "CRYPTO", ["rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTh"]),
    ("solana 4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA", "CRYPTO", ["4fYNw3dojWmQ4dXtSGE9epjRGy9pFSx62YypT7avPYvA"]),
    ("0x529084000985278, LVg2kJoFNg45Nbpy53h7Fe1wKyeXVRhMH8, rHb9CJAWyB4rj91VRWn96DkukG4bwdtyTi", "CRYPTO", []),
    ("BIC: DEUTDEFF500, swift code BOFAUS3N", "BIC", ["DEUTDEFF500", "BOFAUS3N"]),
    ("CUSTOMER DEUTDEFF, BIC ABCDXX22", "BIC", []),
    ("VIN WVWZZZ1JZXW000001, 1M8GDM9AXKP042788", "VIN", ["WVWZZZ1JZXW000001", "1M8GDM9AXKP042788"]),
    ("WVWZZZ1JZXW000001, 1M8GDM9A1KP042788, VIN 1M8GDM9A1KP042788", "VIN", []),
    ("IMEI: 35-209900-176148-1", "IMEI", ["35-209900-176148-1"]),
    ("IMEI 490154203237519, 352099001761481", "IMEI", ["352099001761481"]),
    ("ICCID 89310410106543789305, sim: 8991101200003204514", "ICCID", ["89310410106543789305", "8991101200003204514"]),
    ("8991101200003204515", "ICCID", []),
    ("Reisepass C01X00T47, passport no. 12AB34567", "PASSPORT", ["C01X00T47", "12AB34567"]),
    ("passenger 12AB34567", "PASSPORT", []),
    ("Born on 12 March 1985, DOB: 03/15/1989", "DATE_OF_BIRTH", ["12 March 1985", "03/15/1989"]),
    ("geboren am 3. Mai 1985, Geburtsdatum: 03.05.1985", "DATE_OF_BIRTH", ["3. Mai 1985", "03.05.1985"]),
    ("né le 3 mai 1985; fecha de nacimiento: 3 de mayo de 1985", "DATE_OF_BIRTH", ["3 mai 1985", "3 de mayo de 1985"]),
    ("nato il 3 maggio 1985, geboren op 3 mei 1985, nascido em 3 de maio de 1985", "DATE_OF_BIRTH", ["3 maggio 1985", "3 mei 1985", "3 de maio de 1985"]),
    ('{"dateOfBirth": "1985-05-03", "created": "2020-05-03"}', "DATE_OF_BIRTH", ["1985-05-03"]),
    ("year of birth: 1985, born in 1990", "DATE_OF_BIRTH", ["1985", "1990"]),
    ("hired on 12 March 1985, due 03/15/1989, founded in 1985", "DATE_OF_BIRTH", []),
    ("I live at 12 Baker Street, London NW1 6XE now", "STREET_ADDRESS", ["12 Baker Street, London NW1 6XE"]),
    ("1600 Pennsylvania Avenue NW, Washington, DC 20500 USA", "STREET_ADDRESS", ["1600 Pennsylvania Avenue NW, Washington, DC 20500"]),
    ("742 Evergreen Terrace, Apt. 4B, Springfield, IL 62701-1234", "STREET_ADDRESS", ["742 Evergreen Terrace, Apt. 4B, Springfield, IL 62701-1234"]),
    ("Berliner Straße 12a, 10117 Berlin; Hauptstr. 5", "STREET_ADDRESS", ["Berliner Straße 12a, 10117 Berlin", "Hauptstr. 5"]),
    ("Keizersgracht 174, 1016 DW Amsterdam", "STREET_ADDRESS", ["Keizersgracht 174, 1016 DW Amsterdam"]),
    ("12 bis, rue de la Paix, 75002 Paris", "STREET_ADDRESS", ["12 bis, rue de la Paix, 75002 Paris"]),
    ("Calle de Alcalá 45, 28014 Madrid", "STREET_ADDRESS", ["Calle de Alcalá 45, 28014 Madrid"]),
    ("Via Giuseppe Verdi 10, 20121 Milano", "STREET_ADDRESS", ["Via Giuseppe Verdi 10, 20121 Milano"]),
    ("Rua das Flores, 123, 4050-262 Porto", "STREET_ADDRESS", ["Rua das Flores, 123, 4050-262 Porto"]),
    ('{"address": "Hof am See 4, Malente"}', "STREET_ADDRESS", ["Hof am See 4, Malente"]),
    ("P.O. Box 1234, Springfield, IL 62701", "STREET_ADDRESS", ["P.O. Box 1234, Springfield, IL 62701"]),
    ("5 Star Service, 3 people drive a car, address: 10.0.0.1, email address: a1@example.com", "STREET_ADDRESS", []),
    ("On 12 May the road was closed. Step 3 Go to the court. Wall Street fell by 3 %", "STREET_ADDRESS", []),
    ("My password is hunter2, thanks", "PASSWORD", ["hunter2"]),
    ('password: "correct horse battery"', "PASSWORD", ["correct horse battery"]),
    ("DB_PASSWORD=s3cr3t! pwd = letmein", "PASSWORD", ["s3cr3t", "letmein"]),
    ("das Passwort lautet Geheim99, la contraseña es perro123", "PASSWORD", ["Geheim99", "perro123"]),
    ("le mot de passe est m0tdepasse, la password è segreto1, het wachtwoord is g3heim, a senha é s3nha", "PASSWORD", ["m0tdepasse", "segreto1", "g3heim", "s3nha"]),
    ("The password is required. Password: must be long. password: str = get_password()", "PASSWORD", []),
    ("password=${DB_PASSWORD} password: **** the password is wrong", "PASSWORD", []),
    ('client_secret: "9fJk2LmQ8xZw", api_key=abcd1234efgh5678', "API_KEY", ["9fJk2LmQ8xZw", "abcd1234efgh5678"]),
    ("Authorization: Bearer abc123DEF456ghi789", "API_KEY", ["abc123DEF456ghi789"]),
    ("token: next, secret santa, api key: ask Bob, access_token=get_token()", "API_KEY", []),
    ("username: ada_b, login=bob99", "USERNAME", ["ada_b", "bob99"]),
    ("my github handle is @ada-b and twitter: @bob_x", "USERNAME", ["@ada-b", "@bob_x"]),
    ("username: admin, login failed, the handle is broken, user name required", "USERNAME", []),
]  # fmt: skip

NOTHING = [
    "I was there though.Al said so. See service....now",
    "The policy for the public licence A1234567 is a duplicate.",
    "On 2024-05-01T12:30:00Z, 12/05/2024 and 3.14 and $1,299.00",
    "550e8400-e29b-41d4-a716-446655440000",
    "https://example.com/path?q=1",
    '{"id": 17, "total": 12.5, "sku": "AB-17-XY"}',
]


@pytest.mark.parametrize(("text", "kind", "words"), ROWS)
def test_found(text: str, kind: str, words: list[str]) -> None:
    found = [text[s.start : s.end] for s in finder_for().find(text) if s.type == kind]
    assert found == words


@pytest.mark.parametrize("text", NOTHING)
def test_nothing_is_found(text: str) -> None:
    assert finder_for().find(text) == ()


@pytest.mark.parametrize("kind", sorted({*DEFAULT_ENTITIES} - {"PERSON", *NATIONAL_ENTITIES}))
def test_every_default_type_has_a_row(kind: str) -> None:
    assert any(row[1] == kind and row[2] for row in ROWS)


HIDDEN = ("\u200b", "\u200d", "\u2060", "\u00ad", "\u202e", "\ufeff", "\U000e0041")


@pytest.mark.parametrize("sign", HIDDEN)
@pytest.mark.parametrize("value", ["ada@example.com", "4111111111111111", "536-90-4399"])
def test_hidden_characters_hide_nothing(sign: str, value: str) -> None:
    """The whole stretch is covered, hidden characters included."""
    text = f"é ssn {sign.join(value)} end"
    [span] = finder_for().find(text)
    assert text[span.start : span.end] == sign.join(value)


@pytest.mark.parametrize("value", ["4111 1111 1111 1111", "+1 212-555-4676"])
def test_digits_of_other_scripts_are_digits(value: str) -> None:
    text = value.translate({ord(d): chr(0x660 + int(d)) for d in "0123456789"})
    assert finder_for().find(f"no {text} end")


ODD = ["", "\x00", "\ud800", "\udfff" * 40, "😀" * 50, "\u200b" * 50, "a\u0301" * 50, "@" * 500,
       "(" * 500, "1" * 500, "<" * 300 + "@" * 300, "\u202eada@example.com", "Mr. " * 200]  # fmt: skip


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_do_not_fail(text: str) -> None:
    for span in finder_for().find(text):
        assert 0 <= span.start < span.end <= len(text)


def test_offsets_are_exact_after_a_surrogate_and_an_emoji() -> None:
    text = "\ud800😀\x00 ada@example.com"
    [span] = finder_for().find(text)
    assert text[span.start : span.end] == "ada@example.com"


def test_an_unknown_type_is_answered_with_the_nearest() -> None:
    with pytest.raises(PolicyError, match="Did you mean 'EMAIL_ADDRESS'"):
        finder_for(entities=["EMAIL_ADRESS"])


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(PolicyError, match="language"):
        finder_for(language="qq")


def test_types_that_are_off_by_default_can_be_named() -> None:
    finder = finder_for(entities=["URL", "US_DRIVER_LICENSE", "DATE_TIME"])
    text = "see https://example.com/x on 12/05/2024"
    assert [s.type for s in finder.find(text)] == ["URL", "DATE_TIME"]


def test_national_types_of_the_language_can_be_named() -> None:
    finder = finder_for(entities=["DE_VAT_ID", "EMAIL_ADDRESS"], language="de")
    text = "USt-IdNr. DE136695976, ada@example.de"
    assert {s.type for s in finder.find(text)} == {"DE_VAT_ID", "EMAIL_ADDRESS"}


def test_only_the_types_that_are_named_are_found() -> None:
    finder = finder_for(entities=["EMAIL_ADDRESS"])
    assert [s.type for s in finder.find("ada@example.com 4111 1111 1111 1111")] == ["EMAIL_ADDRESS"]


def test_the_threshold_goes_before_overlaps() -> None:
    """A long span with a low score does not push a short one with a high score out."""
    text = "my phone 212-555-4676"
    assert finder_for(entities=["PHONE_NUMBER"], threshold=0.99).find(text) == ()
    assert finder_for(entities=["PHONE_NUMBER"], threshold=0.4).find(text) != ()


def test_one_finder_for_the_same_types() -> None:
    assert finder_for() is finder_for(entities=DEFAULT_ENTITIES)
    assert isinstance(finder_for(), Finder)


@pytest.mark.parametrize("noise", ["!" * 40_000, "a." * 20_000, "a@" * 20_000, "\u200b" * 40_000])
def test_noise_around_a_number_neither_hides_it_nor_hangs(noise: str) -> None:
    """Tokenizing is quadratic in a run of signs: this once took minutes."""
    text = f"{noise} ssn 536904399 {noise} ssn 536904399"
    assert [text[s.start : s.end] for s in finder_for().find(text)] == ["536904399"] * 2
