"""The Messages API's vocabulary: bytes in, facts out, no I/O."""
