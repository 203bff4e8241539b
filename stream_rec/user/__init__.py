"""Facts about one user, and how an event changes them."""
