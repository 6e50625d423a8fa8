"""The stations of a call, each ignorant of the others."""
