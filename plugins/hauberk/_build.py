"""From a policy to plugins. Rooms are imported here, when a policy needs them, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from importlib.metadata import entry_points
from typing import cast

from hauberk.errors import MissingExtraError, PolicyError
from hauberk.plugin import Plugin, Recorder
from hauberk.policy import Policy

GROUP = "hauberk.plugins"
"""Entry point group: name of a plugin -> callable that takes its part of the policy."""


def build_plugins(policy: Policy) -> Iterator[Plugin]:
    """The plugins that a policy asks for.

    Raises:
        MissingExtraError: A room's extra is not installed.
        PolicyError: A named plugin does not exist, or does not take its configuration.
    """
    if policy.capabilities is not False:
        from hauberk.capabilities import CapabilitiesPlugin  # noqa: PLC0415

        yield CapabilitiesPlugin(policy.capabilities)
    if policy.budget is not False:
        from hauberk.budget import BudgetPlugin  # noqa: PLC0415

        yield BudgetPlugin(policy.budget)
    if policy.injection is not False:
        from hauberk.injection import InjectionPlugin, SpotlightPlugin  # noqa: PLC0415

        yield InjectionPlugin(policy.injection)
        if SpotlightPlugin.is_wanted(policy.injection):
            yield SpotlightPlugin(policy.injection)
    if policy.pii is not False:
        yield _builder("pii", source=policy.name)(policy.pii)
    for extra in policy.plugins:
        yield _checked(_builder(extra.use, source=policy.name)(extra.config), extra.use)


def build_recorder(policy: Policy) -> Recorder | None:
    """The audit trail that a policy asks for, or None when it is switched off.

    Raises:
        StoreError: The trail cannot be opened.
    """
    if policy.audit is False:
        return None
    from hauberk.audit import AuditTrail  # noqa: PLC0415

    return AuditTrail.open(policy.audit)


def _builder(name: str, *, source: str) -> Callable[[object], Plugin]:
    found = {entry.name: entry for entry in entry_points(group=GROUP)}
    if name not in found:
        near = get_close_matches(name, found, n=1)
        raise PolicyError(
            f"no plugin is called {name!r}",
            source=source,
            field="plugins",
            remedy=f"Did you mean {near[0]!r}?" if near else f"Installed: {sorted(found)}.",
        )
    try:
        return cast("Callable[[object], Plugin]", found[name].load())
    except MissingExtraError:
        raise
    except ImportError as error:
        raise PolicyError(
            f"plugin {name!r} cannot be imported ({type(error).__name__}: {error.name})",
            source=source,
            field="plugins",
            remedy="Install what it needs.",
        ) from error


def _checked(plugin: object, name: str) -> Plugin:
    if not isinstance(plugin, Plugin):
        raise PolicyError(
            f"{name!r} is no plugin: it needs name, stages and inspect", field="plugins"
        )
    if plugin.name != name:
        raise PolicyError(
            f"entry point {name!r} makes a plugin called {plugin.name!r}: one name for both, so that "
            "`on_error` and the trail mean the same",
            field="plugins",
        )
    return plugin
