"""Prompt injection: texts screened on their way in, links on their way out."""

from hauberk.injection._plugin import InjectionPlugin

__all__ = ["InjectionPlugin"]
