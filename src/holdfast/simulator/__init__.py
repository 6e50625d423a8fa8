"""A Messages API that runs anywhere, needs no key, and misbehaves on request."""
