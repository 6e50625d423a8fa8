"""Rules without hands: frozen values in, decisions out."""
