"""Clients that others wrote send events and items, and read lists. docs/guides/other-languages.md and
AsyncAPI say all that they need.

Each program is called with the broker's address, the topic prefix and a name. It writes ``N_ITEMS`` items and, for each
of ``N_USERS`` users, ``N_EVENTS`` events, the last of them twice; ids begin with its name. Then it waits until the list
of each user has seen these events, and prints as JSON the ids of these lists and of the items in them.
"""

N_ITEMS = 5
N_USERS = 3
N_EVENTS = 9
