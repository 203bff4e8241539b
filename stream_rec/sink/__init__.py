"""The sink: users' lists, and pushed surfaces, in a Redis or a PostgreSQL that is kept equal to their topics."""
