"""Accounts: passwords in words, user names, keys and tokens behind a name that says so.

Rules:
* Behind `:` or `=` a password is what stands there, unless it is a word that speaks about passwords
  ("required", "expired"), a type, a reference (`${DB_PASSWORD}`, `os.environ[...]`) or already hidden.
* In a sentence ("my password is hunter2") it holds a digit or a sign, or stands in quotes.
* Words of seven languages count in every text.

Does not find: passwords that nothing announces.
Sources: the keyword patterns of detect-secrets (Apache-2.0) and gitleaks (MIT), read in 2026-11 and
written anew.
"""
# ruff: noqa: ARG002, RUF001 - Presidio asks for these parameters

from __future__ import annotations

import re
from collections.abc import Iterator

from presidio_analyzer import RecognizerResult
from presidio_analyzer.nlp_engine import NlpArtifacts

from hauberk_pii._results import result_of
from hauberk_pii.recognizers._announced import gate_of
from hauberk_pii.recognizers._base import OneTypeRecognizer

_SCORE = 0.9
_LEAST_KEY = 12
"""Fewest characters of a key or token: `token: next` is none."""

_SAYS_SO = (
    r"(?:pass[ _\-]?(?:word|wd|phrase|code)|passwd|pwd|pword|passwort|kennwort|losungswort|"
    r"contrase(?:ñ|n)a|clave|mot[ _\-]de[ _\-]passe|mdp|parola[ ]d['’]ordine|wachtwoord|"
    r"senha|palavra[ \-]passe|pin)"
)
_KEY = (
    r"(?:(?:api|access|secret|private|auth|encryption|signing|account|master|shared|license|service|"
    r"subscription|storage)[ _\-]?(?:key|secret|token)|client[ _\-]?secret|"
    r"(?:auth|access|refresh|bearer|session|csrf|id|bot|api)[ _\-]?token|secret|token|"
    r"aws[ _\-]secret[ _\-]access[ _\-]key|webhook[ _\-]secret|session[ _\-]?id|sessionid|jsessionid)"
)
_LEFT = r"(?<![^\W_])"
_IS = r"(?:[ ](?:is|was|are|lautet|ist|war|es|era|est|était|è|is|was|é|era)(?:[ ]now)?[:]?[ ]{1,2})"
_SET = r"(?:\\?[\"'`*]{0,3}[ \t]{0,3}(?::=|=>|[:=])[ \t]{0,3})"
_QUOTED = r"(?:\\?[\"'`“«„](?P<quoted>[^\s\"'`“”«»„\\][^\r\n\"'`“”«»„\\]{2,127})\\?[\"'`”»“])"
_PLAIN = r"(?P<plain>[^\s\"'`“”«»„,;<>\[\]{}()\\]{3,128})"

_USER = (
    r"(?:user[ _\-]?name|log[ _\-]?in(?:[ _\-]?name)?|user[ _\-]?id|screen[ _\-]?name|nick[ _\-]?name|"
    r"handle|benutzername|nombre de usuario|usuario|nom d['’]utilisateur|identifiant|nome utente|"
    r"gebruikersnaam|nome de (?:usuário|utilizador)|(?:twitter|github|instagram|telegram|skype)"
    r"(?:[ _\-]?(?:id|handle|user|name))?)"
)
_NICK = r"@?[\w][\w.\-]{1,38}\w(?![\w@])"
_SHARED = frozenset(
    [
        *("admin", "root", "guest", "test", "anonymous", "nobody", "system", "service", "daemon"),
        *(
            "administrator",
            "postgres",
            "mysql",
            "ubuntu",
            "www-data",
            "default",
            "username",
            "name",
        ),
        *("email", "can", "for", "with", "was", "has", "will", "already", "available", "taken"),
        *("http", "https", "www", "github.com", "page", "button", "form", "failed", "successful"),
    ]
)
_TALK = frozenset(
    [
        *("required", "optional", "incorrect", "invalid", "wrong", "expired", "reset", "forgotten"),
        *("string", "str", "text", "hidden", "none", "null", "nil", "undefined", "true", "false"),
        *(
            "unknown",
            "missing",
            "changed",
            "protected",
            "field",
            "must",
            "the",
            "your",
            "min",
            "max",
        ),
        *(
            "secret",
            "password",
            "passwort",
            "redacted",
            "removed",
            "n/a",
            "not",
            "set",
            "empty",
            "yes",
        ),
        *("enter", "see", "ask", "use", "type", "value", "bytes", "int", "integer", "any", "here"),
        *("obligatorio", "obligatoire", "erforderlich", "verplicht", "obrigatória", "obbligatoria"),
        *(
            "forgot",
            "change",
            "update",
            "policy",
            "bearer",
            "basic",
            "self",
            "args",
            "kwargs",
            "user",
        ),
    ]
)
_REFERENCE = re.compile(
    r"\$|%[A-Z_]+%|os\.|env[.:]|process\.|config\.|settings\.|self\.|vault:|\*{3,}|x{4,}|X{4,}|\.{3}|"
    r"#|https?://"
)
_TELLING = re.compile(r"[0-9]|[^\w.\-/]|[a-z][A-Z]")
_TRAILING = ".,;:!?)"


class PasswordRecognizer(OneTypeRecognizer):
    """Passwords, pass phrases and PINs behind a word that says so.

    Example:
        >>> text = "My password is hunter2, thanks"
        >>> [text[r.start : r.end] for r in PasswordRecognizer().analyze(text, ["PASSWORD"])]
        ['hunter2']
    """

    ENTITY = "PASSWORD"
    gates: tuple[str, ...] = (gate_of(_SAYS_SO),)
    _FIND: tuple[re.Pattern[str], ...] = (
        re.compile(rf"{_LEFT}{_SAYS_SO}{_SET}(?:{_QUOTED}|{_PLAIN})", re.IGNORECASE),
        re.compile(rf"{_LEFT}{_SAYS_SO}{_IS}(?:{_QUOTED}|{_PLAIN})", re.IGNORECASE),
    )

    def analyze(
        self, text: str, entities: list[str], nlp_artifacts: NlpArtifacts | None = None
    ) -> list[RecognizerResult]:
        """Secrets in a text."""
        spans = {span for index in range(len(self._FIND)) for span in self._spans(text, index)}
        return [result_of(self, self.ENTITY, start, end, _SCORE) for start, end in sorted(spans)]

    def _spans(self, text: str, index: int) -> Iterator[tuple[int, int]]:
        """What one pattern finds: the first is for keys, the second for sentences."""
        for match in self._FIND[index].finditer(text):
            group = "quoted" if match["quoted"] is not None else "plain"
            value = match[group].rstrip(_TRAILING if group == "plain" else "")
            start = match.start(group)
            after = text[start + len(value) : start + len(value) + 2]
            told = group == "quoted" or index == 0
            if self._is_secret(value, after, sure=told):
                yield start, start + len(value)

    def _is_secret(self, value: str, after: str, *, sure: bool) -> bool:
        """Whether a value is a password, and not a word about one."""
        if not value or value.casefold() in _TALK or _REFERENCE.match(value) or after[:1] == "(":
            return False
        if _TELLING.search(value):
            return True
        # A plain word that a sentence goes on behind speaks about the password.
        return sure and not (after[:1] == " " and after[1:].isalpha())


class KeywordSecretRecognizer(PasswordRecognizer):
    """Keys and tokens behind a name that says so: `api_key = ...`, `"client_secret": "..."`.

    Finds values of at least twelve characters with digits and letters in them.

    Example:
        >>> text = 'client_secret: "9fJk2LmQ8xZw"'
        >>> [text[r.start : r.end] for r in KeywordSecretRecognizer().analyze(text, ["API_KEY"])]
        ['9fJk2LmQ8xZw']
    """

    ENTITY = "API_KEY"
    gates = (gate_of(_KEY), gate_of(r"authorization.{0,8}(?:bearer|basic|token) "))
    _FIND = (
        re.compile(rf"{_LEFT}{_KEY}{_SET}(?:{_QUOTED}|{_PLAIN})", re.IGNORECASE),
        re.compile(rf"{_LEFT}{_KEY}{_IS}(?:{_QUOTED}|{_PLAIN})", re.IGNORECASE),
        re.compile(
            r"(?<!\w)authorization\W{1,8}(?:bearer|basic|token)[ ]"
            r"(?:(?P<quoted>(?!))|(?P<plain>[\w.~+/=\-]{12,4096}))",
            re.IGNORECASE,
        ),
    )

    def _is_secret(self, value: str, after: str, *, sure: bool) -> bool:
        if len(value) < _LEAST_KEY or " " in value or _REFERENCE.match(value) or after[:1] == "(":
            return False
        return any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


class UsernameRecognizer(PasswordRecognizer):
    """User names behind a word that says so. Names of accounts that everybody has are none.

    Example:
        >>> text = "login: ada_b99"
        >>> [text[r.start : r.end] for r in UsernameRecognizer().analyze(text, ["USERNAME"])]
        ['ada_b99']
    """

    ENTITY = "USERNAME"
    gates = (gate_of(_USER),)
    _FIND = (
        re.compile(
            rf"{_LEFT}{_USER}{_SET}(?:(?P<quoted>(?!))|[\\\"'`]{{0,2}}(?P<plain>{_NICK}))",
            re.IGNORECASE,
        ),
        re.compile(
            rf"{_LEFT}{_USER}{_IS}(?:(?P<quoted>(?!))|[\"'`“]?(?P<plain>{_NICK}))", re.IGNORECASE
        ),
    )

    def _is_secret(self, value: str, after: str, *, sure: bool) -> bool:
        if value.casefold() in _TALK | _SHARED or after[:1] == "(":
            return False
        return sure or not value.isalpha()
