"""A stream runtime on Faust that knows no recommender: exactly-once batches, tables, and who may write them."""
