r"""Words and signs of a text, for the tagger.

Rules:
* A word is letters with apostrophes and hyphens inside; a genitive `'s` is a token of its own.
* Addresses, handles, and words with digits or underscores are one token that is no word.
* Line ends are tokens, the escaped `\n` of a JSON string too.
* Linear in the text.
"""

from __future__ import annotations

import re

_INITIAL = r"[A-Z\u00c0-\u00de]\."
_MARK = "[\u0300-\u036f]"  # accents of decomposed letters are no letters for `re`


def _pattern(letter: str, letters: str) -> re.Pattern[str]:
    return re.compile(
        rf"""
          (?P<word>{_INITIAL}(?=\ ?{letter})
            |{letters}(?:(?:['\u2019](?![sS](?!\w))|-)(?={letter}){letters})*+(?![\w@]|://|\.\w[\w.+\-]{{0,64}}@)
          )
        | (?P<genitive>['\u2019][sS](?!\w))
        | (?P<number>\d(?:[\d.,:/\-]*\d)?(?!\w))
        | (?P<line>(?:[\r\n]|\\[nr])+)
        | (?P<odd>https?://\S+|www\.\S+|[\w.+\-]{{0,64}}@[\w.\-]+|\\t|\w+)
        | (?P<sign>[^\s\w])
        """,
        re.VERBOSE,
    )


_TOKEN = _pattern(r"[^\W\d_]", rf"(?:[^\W\d_]++|{_MARK}++)++")
_PLAIN = _pattern("[A-Za-z]", "[A-Za-z]++")
"""The same for texts in ASCII: a class that is a table is read faster."""


Token = tuple[str, int, str]
"""Text, first character, and kind: word, genitive, number, line, odd, sign."""


def tokens_of(text: str) -> list[Token]:
    """The tokens of a text, in order.

    Example:
        >>> [text for text, _, _ in tokens_of("Ada's cat, J. Doe")]
        ['Ada', "'s", 'cat', ',', 'J.', 'Doe']
    """
    found = (_PLAIN if text.isascii() else _TOKEN).finditer(text)
    return [(m[0], m.start(), m.lastgroup or "sign") for m in found]
