"""stream-rec: a streaming recommender on Kafka. Events in, ranked lists out, within a second of each event."""

__version__ = "0.2.0"
