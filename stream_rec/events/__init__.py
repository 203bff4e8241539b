"""What crosses the wire between apps and stream-rec, and how it is checked."""
