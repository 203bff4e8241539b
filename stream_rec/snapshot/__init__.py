"""The state of a pipeline as a file, and from there to another cluster, or to another number of partitions."""
