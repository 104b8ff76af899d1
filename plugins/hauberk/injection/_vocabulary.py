"""Words that orders to a model are made of: to part words that were run together.

`i g n o r e a l l r u l e s` has no word boundaries left. Reading the run as words of this list, the
longest first, brings them back; letters between known words stay as one word.
"""

from __future__ import annotations

import re

_LIST = """
a able about above absent absolute absolutely accept acceptance accepted access accomplish account
accounts acknowledge across act action actions activate activated active activity actual add
additional address addressed adhere admin administrator admit advertise advice advise after agent
agents agreed ai alert alerting all allow allowed alpha already alright also alter always amoral
amount an analysis and another answer answering answers anthropic anti any anybody anyone anything
api appear appears append application apply approval approve approved approver archive are aren
article artificial as ask asked asking asks assess assessment assigned assignment assignments
assistant assistants assume ation attach attachments attacker attention audience audio authority
authorization authorized auto automated automatic autonomous avoid away back backend background
backup backward backwards balance bank banking base bash be because been before begin beginning
begins behave being below benign best between beyond billing bitcoin block bodies body bomb boot
boss both bots bound boundaries break browser browsing budget built but button bypass bypassing
caesar call called calling calls came can cancel candidate cannot card cards carry cat caveats
cease censor censoring censorship certainly chang change changed channel chaos character
characters chat chatbot chatbots chatgpt chats check checks chmod choose classic classification
classify claude clearance click clients closed code codes coding collect come comes command
commands comment commentary commit competing complete completed completing comply compose
compromised concatenate concatenated concealed concern concerns conclude confidential
configuration confined confirm confirmation confirmed consent consider considerations consist
console constrained constraint constraints consult consulting contact contacts contain containing
contains content contents context continue continuing contract conventional conversation
conversations convert convince copies copilot copy core costs could course create creator creators
credentials credit credits critical criticism curl current currently cursor customer customers dan
dangerous data database databases deactivate dear debug decline decode decoded default delete
deliver deny deposit deprecated describe destroy details developer developers diagnostic dialogue
did didn different digit digits direct direction directions directive directives directory disable
disabled discard disclaimer disclaimers disclose disclosing discreetly discuss discussion disk
display disregard disregarding distinct do document documents does doesn doing dollars don donate
done down download draft drive drop dual dump during each earlier echo edit element elevated email
emails embed embedded emergency emma emoji employees enable enabled encode encoded encoding
encounter encrypt encrypted end ending endless endoftext endorse ends engage engaged engineer
enter entering entire entries env environment erase essay ethical ethics evaluate evaluation
evaluator even events ever every everything evil exact exactly example excellent except excluded
exclusively execute execution exempt exfil exfiltrate exist existing exists explain explaining
explosive export expose external fact fail false feature features fetch fictional file files fill
filter filters final financial finish finished first firstly five flag flaws folder follow
following for foregoing forever forget form format former forms forward forwarding free french
from full fully function functions funds further future gave gemini generate german gif give given
glowing goal god going google got gpt grade grandma grandmother grant granted guardrails guideline
guidelines hack hacked haha happen happened harmful has have header heed hello help here hereby
hesitation hex hey hidden hide higher highest highlight him hint hints hiring history hostname how
however href html http https human humans hundred hypothetical i iban ids iframe ignor ignore
ignored ignores ignoring illegal image imaginary imagine img immediately immoral import important
in inbox include includes including incoming indefinitely infinite inform information informing
initial initialization initially initiated injection inner input inputs insert inside inst install
installer instead instruct instructed instruction instructions interaction interactions internal
into invalid invisible invite invoice invoices invoke invoking is it jailbreak javascript john
json just keep key keys keyword kindly know knowing knowledge label lack lacks language large last
late later latest latin laws leak learned lecture lectures legal legitimate letter letters letting
lifted like limit limitation limitations limited limits line lines link list listed listen listing
lives llama llms log logging logs long longer look loop lose machine machines mail mailbox mails
main maintenance make maker malware mandatory manner manners many mark markdown marked markup
master matter maximum me meant measures mechanism mechanisms medical member memo memories memory
mention mentioning mentions message messages meta meth microsoft million mission mode model models
moderation moderator modify modifying moment money monologue moral morals most move must my name
names navigate navigator necessary need needed needs negative neglect never new next no nobody
normal normally norms not note notes nothing notice notify now null number numbers obey object
objective obligated observation obsolete of off official okay omega omit on once one onload only
onto open openai operate operator operators opposite or order ordered orders original originally
other our outdated output outputs outside outstanding over overridden override overrides
overriding overwrite owned owner owners page paper paragraph paragraphs parameter parsed parser
parsing participant pass password passwords past paste path pay payload payment payments people
percent perfect perform performing permanent permanently permission permissions permitted persist
persistent persona personal personalities phones phrase phrases pick pixel place platform play
please plugin plugins png poem point points policies policy positive possible post powershell
praise precedence preceding prefer prefix press pretend previous previously principal principles
print prior priority private privileges proceed proceeding process processed processing processor
processors produce product production profile programmed programmer programmers programming
promote prompt prompts proposal protections protocol protocols provide provided publish purge
purpose push put pwned qualified query question questions quietly quote rank rate rating read
readable reader readers reading real reality reasoning recall receive received recipient recommend
recommendation recommendations record records recruiter red redact refer reference refrain refusal
refusals refuse regardless register reject relay remain remember reminder reminders remove removed
render repeat repl replace replaced replaces replies reply replying report reporting repositories
repository request requested requests require required requires respond responding response
responses restricted restriction restrictions result results resume retrieved return reveal
revealing reverse review reviewer reviewers revised right rights robot robotic role roleplay root
rule rules run running safe safeguards safety said salaries salary save say saying says scanned
scenario score script search second secret secretly secrets security see seeing sees select seller
send sent sentence sentences separate separated serial server service session sessions setting
settings shadow shall share shell shop shopping should show showing shown shut sign silently
simulate simulated simulation since sing site skill skip snippet social sole solely solve somebody
someone soon sorry source spaces spam speaking special spell split src ssh standard standards star
start starting starts stated status stay step steps stop stopping store story strictly string
stringify strings strong strongly styles subject submission submit subsequent substitute
successful such sudo suggest summary superseded supervisor suppose supposed sure suspended svg
switch symbol symbols sys system systems table tables take talk task tasks tell telling
temporarily term terminal terminated test tests text than that the their them then there these
they thing things think thinking third this those thought thousand time times to today todo token
tokens told tool tools training transaction transactions transfer translate translating
translation transmit treat trigger true truncate trusted turn two type typical unable unbound
uncensored unethical unfiltered unhinged universe unlock unlocked unrestricted until untrusted
upcoming update updated upload urge urgent url usage use used user users using usual valid value
variables verbatim verification verified version very victim video view viewed viewing virtual
visible visit visiting voices void wait waived wallet wants warn warning warnings was ways
weakness weaknesses website were what whatever when whenever where which while whisper white who
whoami whole whose will windows wipe wire with withdraw within without word words work world would
write written wrong yes you your yourself zero
"""

KNOWN = frozenset(_LIST.split())
"""The words."""

TELLING = frozenset(word for word in KNOWN if len(word) > 3) | {"the", "and", "you", "all"}  # noqa: PLR2004 - letters
"""Words that say, when they come out of a decoder, that there was something to decode."""

_ORDERED = sorted(KNOWN, key=lambda word: (-len(word), word))

WORDS = re.compile("|".join(_ORDERED) + r"|[^\W\d_]|\d+")
"""Finds the words of a run of letters, from left to right."""
