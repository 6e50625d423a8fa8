"""Sinks of what happened."""
