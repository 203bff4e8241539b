"""What both clients of the HTTP service share: what can be asked, and what comes of it."""
