"""How good lists are: the protocol, baselines, metrics, and the report of an evaluation over a log."""
