"""For people who test their own app against the pipeline, or write a head or an encoder of their own."""
