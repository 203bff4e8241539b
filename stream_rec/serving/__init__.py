"""The HTTP service: lists out, events in; any number of copies, none of which keeps anything of its own."""
