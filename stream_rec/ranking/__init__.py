"""From candidates to a ranked list."""
