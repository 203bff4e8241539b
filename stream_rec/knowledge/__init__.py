"""What all users together teach about one item."""
