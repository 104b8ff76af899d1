"""Prompt injection: texts screened on their way in, links on their way out."""

from hauberk.injection._explain import Explained, explain
from hauberk.injection._files import FileScreen, Found, Piece
from hauberk.injection._plugin import InjectionPlugin
from hauberk.injection._spotlight import SpotlightPlugin

__all__ = [
    "Explained",
    "FileScreen",
    "Found",
    "InjectionPlugin",
    "Piece",
    "SpotlightPlugin",
    "explain",
]
