"""Records of topics that a shop has already, in its own words and formats, made into events and items of ours."""
