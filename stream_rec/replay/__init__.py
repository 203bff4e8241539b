"""What a replay of a log needs besides the pipeline: its items with their embeddings, and its pace."""
