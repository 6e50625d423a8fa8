"""The HTTP door: any Anthropic client, in any language."""
