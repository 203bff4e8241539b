"""What a process tells of itself: counts, metrics, probes, its status, its log and traces."""
