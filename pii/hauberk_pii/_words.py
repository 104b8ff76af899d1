"""Words that say nothing about people.

Rules:
* `COMMON` are English words that stand capitalised in ordinary sentences, keys, months, days,
  roles, and names that are words as well. None of them, alone, is taken for a person.
* `NEVER_FIRST` are words that stand before a name at the start of a sentence and begin none.
* `ORGANISATION` are words that names of companies, products and offices hold, and those of people
  do not.
* `PARTICLES` are the small words inside of names.
"""

from __future__ import annotations

from importlib.resources import files

COMMON = frozenset(
    files("hauberk_pii").joinpath("common_words.txt").read_text(encoding="utf-8").split()
)

PARTICLES = frozenset(
    [
        *("van", "von", "der", "den", "de", "del", "della", "di", "da", "dos", "das", "du"),
        *("la", "le", "el", "al", "bin", "ibn", "ben", "abu", "ter", "ten", "zu", "y"),
    ]
)

NEVER_FIRST = frozenset(
    [
        *("and", "or", "with", "by", "for", "to", "from", "cc", "bcc", "re", "fwd", "the", "attn"),
        *("mail", "email", "e-mail", "write", "send", "forward", "reply", "contact", "call", "ask"),
        *(
            "tell",
            "ping",
            "message",
            "notify",
            "invite",
            "remind",
            "remember",
            "meet",
            "see",
            "add",
        ),
        *("please", "dear", "hi", "hello", "hey", "thanks", "regards", "sincerely", "cheers"),
    ]
)

ORGANISATION = frozenset(
    [
        "ab",
        "ag",
        "agency",
        "airlines",
        "airways",
        "alexa",
        "api",
        "app",
        "apps",
        "as",
        "assistant",
        "association",
        "assurance",
        "bank",
        "bv",
        "capital",
        "center",
        "centre",
        "club",
        "college",
        "consulting",
        "copilot",
        "corp",
        "corporation",
        "council",
        "department",
        "desk",
        "digital",
        "docs",
        "drive",
        "electronics",
        "energy",
        "enterprise",
        "enterprises",
        "express",
        "foundation",
        "gmbh",
        "guide",
        "holding",
        "holdings",
        "hospital",
        "hotel",
        "inc",
        "incorporated",
        "industries",
        "institute",
        "insurance",
        "international",
        "kg",
        "labs",
        "limited",
        "llc",
        "llp",
        "logistics",
        "ltd",
        "mail",
        "manager",
        "maps",
        "media",
        "ministry",
        "motors",
        "nv",
        "office",
        "online",
        "oy",
        "partners",
        "pay",
        "platform",
        "plc",
        "portal",
        "pro",
        "sa",
        "sarl",
        "sas",
        "server",
        "service",
        "services",
        "shop",
        "software",
        "solutions",
        "spa",
        "store",
        "studio",
        "studios",
        "suite",
        "support",
        "system",
        "systems",
        "team",
        "teams",
        "technologies",
        "technology",
        "tools",
        "university",
        "workspace",
    ]
)
