"""AgentDojo without a model: its suites, its attackers, an agent that obeys them, and the table.

`worlds` loads the suites, `attacks` says what an attacker calls, `agent` makes LangChain tools of a
suite and replays calls through them, `report` counts (pure: needs no AgentDojo).
"""
