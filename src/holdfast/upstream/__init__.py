"""The inner ring: how a call reaches a Messages API and what happens when it does not."""
