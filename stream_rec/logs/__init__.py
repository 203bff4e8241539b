"""Reading logs: files of events and items in whatever format, line by line."""
