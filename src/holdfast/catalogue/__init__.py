"""What every code and every setting means, for people: words only, in English and Korean."""
