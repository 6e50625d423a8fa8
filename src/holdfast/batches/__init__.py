"""Batches: a file of requests in, a file of answers out, whatever happens in between."""
