"""The same core without a broker: logs in, lists and states out."""
