"""Candidate sources: each finds some items cheaply, none looks at the whole catalog's users."""
