"""How the weights of the detector are made: reading examples, writing more, fitting, judging."""
