"""From an item's text to a frozen vector. Only torch_encoder.py imports torch."""
