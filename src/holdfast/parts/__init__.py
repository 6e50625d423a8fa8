"""Single parts to use alone: a policy with a clock and a lock around it."""
