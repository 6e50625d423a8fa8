"""The trained detector: how much a text reads like an attack, by its words and by what they mean."""
