"""For people who test their own app against the pipeline."""
