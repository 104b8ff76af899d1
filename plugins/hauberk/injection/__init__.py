"""Prompt injection: texts screened on their way in, links on their way out."""

from hauberk.injection._explain import Explained, explain
from hauberk.injection._plugin import InjectionPlugin

__all__ = ["Explained", "InjectionPlugin", "explain"]
