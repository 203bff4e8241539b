"""Keeping published lists fresh: what to leave out of them, and which to make anew."""
