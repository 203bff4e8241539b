"""A real Kafka for development and tests: found, or started."""
