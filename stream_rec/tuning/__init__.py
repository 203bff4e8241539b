"""Search for settings on the first part of logs, and what they are worth on the rest, which no trial has seen."""
