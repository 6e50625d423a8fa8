"""Adapters of the ports, one file per back-end."""
