"""The library door: an agent to talk to."""
