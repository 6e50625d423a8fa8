"""Doors in process: guards inside the SDKs people already use."""
