"""Words that orders to a model are made of: to part words that were run together.

`i g n o r e a l l r u l e s` has no word boundaries left. Reading the run as words of this list, the
longest first, brings them back; letters between known words stay as one word.
"""

from __future__ import annotations

import re

_LIST = """
a about above access act address agent ai all allow allowed an and any anything are as ask assistant
bank be before bypass call card code command commands complete confidential contents context
conversation copy credentials credit customer data database delete developer did direction
directions directive directives disregard do document email emails enable everything execute
exfiltrate file files filter filters follow for forget forward forwarding from full give guideline
guidelines hidden history how i ignore ignored ignoring in inform initial input instead instruction
instructions into is it jailbreak keep key keys language limits list mail me mention message
messages mode model money must my name never new no not notify now obey of off on only open or
original other output override password passwords pay please policy post pretend previous print
prior private prompt prompts provide read record records remove repeat reply report request
respond restrictions reveal role rule rules run safety say secret secrets security send sent
show stop system task tell text that the their them then these this to token tool tools transfer
unrestricted upload url use user users verbatim was what which with without word words write you
your
account accounts administrator agents answer answers api approval archive assistants attach attention
authorization backup boundaries bound censorship chatbot clients confirmation constraints contacts
containing content contract current customers database decode details developers disable discard
disclose display documents earlier elevated emergency employees enabled encode encoded end ethical
execution external filter financial first follow following format foregoing free god guardrails hack
hide human immediately important inbox include information informing instructed internal invoice keys
knowing last latest link list longer loop mailbox maintenance memory mention must names notes nothing
only operator orders overwrite payment people permission permissions persona personal preceding print
privileges programming protocols purge question questions quietly quote reading recipient recommend
regardless request requests responses result results root said salary save secretly server session
settings should shell silently special start stop summary supervisor switch table tasks telling text
today training transactions translate true unfiltered uncensored update urgent version visit wallet
warning warnings website whole wipe wire words work
"""

KNOWN = frozenset(_LIST.split())
"""The words."""

_ORDERED = sorted(KNOWN, key=lambda word: (-len(word), word))

WORDS = re.compile("|".join(_ORDERED) + r"|[^\W\d_]|\d+")
"""Finds the words of a run of letters, from left to right."""
