"""What an operator does with a running system: dead letters, backfill, lag, permissions."""
