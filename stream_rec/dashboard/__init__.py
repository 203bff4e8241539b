"""The dashboard: what a pipeline does, for whom and why, in a browser. It reads topics, and writes rules."""
