"""The demo: the story of a minute on a real gateway in front of the simulator, without a key and without a network."""
