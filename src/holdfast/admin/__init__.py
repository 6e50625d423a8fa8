"""The Admin API: operators and their programs at the gateway, over HTTP."""
