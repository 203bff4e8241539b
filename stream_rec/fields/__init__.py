"""The fields of events and items as others write them, in logs and on topics: their names, and what they mean."""
