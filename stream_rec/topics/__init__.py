"""The Kafka topics: their definitions, creating and checking them, and the contracts generated from them."""
