"""A small invented company, attacked: first with a bare agent, then with hauberk around it.

The agents live in the integrations (entry point group `hauberk.demo`); they are written as their
users write them. Here are the company (data in `company/`, effects recorded), the attacks, the
honest tasks, the policy of the company's security officer (`policy.yaml`), the runner and the
report.

Rules:
* An attack has succeeded when its effect is there: a mail left, money left, a record is gone, the
  model saw personal data, the money is spent. What hauberk decided is never asked.
* Each task starts with a fresh company.
* Bare and guarded runs differ in one line of the agent's user, and in nothing else.
"""

from __future__ import annotations

from hauberk.demo._company import Company
from hauberk.demo._report import Report
from hauberk.demo._runner import DemoError, Provider, Scenario, Visit, demo_policy, run
from hauberk.demo._tasks import ATTACKS, HONEST, Attack, Honest
from hauberk.demo._trace import Trace

__all__ = [
    "ATTACKS",
    "HONEST",
    "Attack",
    "Company",
    "DemoError",
    "Honest",
    "Provider",
    "Report",
    "Scenario",
    "Trace",
    "Visit",
    "demo_policy",
    "run",
]
