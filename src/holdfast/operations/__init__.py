"""What operators do, whichever door they come through: the command line and the Admin API call the same verbs."""
