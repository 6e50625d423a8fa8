"""holdfast: the production runtime for Claude agents."""

__version__ = "0.1.0.dev0"
