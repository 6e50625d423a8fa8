"""Door: the operator, with a browser."""
