"""Roles: what the user may do on whose behalf an agent acts (pure).

Rules:
* With roles in the policy, a call needs a permission for its (action, resource). No user, an
  unknown user or no role: denied.
* The policy's `users` say who has which roles; without them the application does, when it opens
  the session. With both, a session has the roles that both name: it can give up roles, never gain.
* `write` brings `read` along, and `admin` both. Any other action is matched exactly.
* `cannot` of any role wins over `can` of every other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from hauberk.capabilities._names import is_glob, matcher
from hauberk.policy import Access, CapabilitiesPolicy, Role
from hauberk.session import Session

_NONE: frozenset[str] = frozenset()


class RoleBook:
    """A policy's roles, compiled. Frozen: safe for every thread."""

    def __init__(self, policy: CapabilitiesPolicy) -> None:
        self._roles: Mapping[str, Role] | None = policy.roles
        self._users = policy.users
        # Few combinations are ever asked about, and each takes a walk over the roles.
        self._permitted = lru_cache(maxsize=4096)(self._find)
        self._in_force = lru_cache(maxsize=4096)(self._all_of)

    @property
    def applies(self) -> bool:
        """Whether users need permissions at all."""
        return self._roles is not None

    def roles_of(self, session: Session) -> frozenset[str]:
        """The roles in force in a session, those that they include too."""
        given = session.roles
        if self._roles is None:
            return _NONE if given is None else given
        links = tuple(one.roles for one in session.rights if one.roles is not None)
        return self._in_force(session.user, given, links)

    def _all_of(
        self, user: str | None, given: frozenset[str] | None, links: tuple[frozenset[str], ...]
    ) -> frozenset[str]:
        if self._users is None:
            mine = self._closed(given or ())
        else:
            mine = self._closed(self._users.get(user or "", ()))
            links = links if given is None else (given, *links)
        for link in links:
            mine &= self._closed(link)
        return mine

    def permits(self, roles: frozenset[str], action: str, resource: str) -> bool:
        """Whether these roles together may do this."""
        return self._permitted(roles, action, resource)

    def _find(self, roles: frozenset[str], action: str, resource: str) -> bool:
        known = [self._roles[name] for name in roles if name in self._roles] if self._roles else []
        if any(_names(role.cannot, action, resource, exact=True) for role in known):
            return False
        return any(_names(role.can, action, resource, exact=False) for role in known)

    def _closed(self, names: Iterable[str]) -> frozenset[str]:
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            name = waiting.pop()
            if self._roles is not None and name in self._roles and name not in found:
                found.add(name)
                waiting += self._roles[name].includes
        return frozenset(found)


def _names(
    entries: Mapping[str, tuple[str, ...]], action: str, resource: str, *, exact: bool
) -> bool:
    """Whether an entry names this. A denial of `read` takes `write` away too, never the other way."""
    return any(
        _covers(given, action, exact=exact)
        for name, actions in entries.items()
        if (matcher(name)(resource) if is_glob(name) else name == resource)
        for given in actions
    )


def _covers(given: str, action: str, *, exact: bool) -> bool:
    if given in ("*", action):
        return True
    try:
        higher = Access(given).rank, Access(action).rank
    except ValueError:
        return False
    return higher[0] < higher[1] if exact else higher[0] > higher[1]
