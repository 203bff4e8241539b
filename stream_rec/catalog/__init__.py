"""The read-only view of items, embeddings and knowledge that every list is made from."""
