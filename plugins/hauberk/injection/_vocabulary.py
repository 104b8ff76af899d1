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
"""

_ORDERED = sorted(_LIST.split(), key=len, reverse=True)

WORDS = re.compile("|".join(_ORDERED) + r"|[^\W\d_]|\d+")
"""Finds the words of a run of letters, from left to right."""
