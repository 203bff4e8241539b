"""Our stages on the runtime: what a worker and an embedder do with the records of each topic."""
