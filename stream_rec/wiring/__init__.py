"""The only Faust imports: thin agents around the core."""
