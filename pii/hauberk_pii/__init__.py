"""Presidio room (being built)."""
