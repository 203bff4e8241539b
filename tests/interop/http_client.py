"""The Python client of the HTTP service: does what ``__init__.py`` says, but is called with the service's address."""

from __future__ import annotations

import json
import sys
import time

from stream_rec.client.http import HttpClient
from stream_rec.events.item import Item
from stream_rec.events.over_http import Event, Shown


def main(url: str, name: str) -> None:
    """Send, wait, print."""
    with HttpClient(url) as service:
        for n in range(5):
            service.put_item(Item(f"{name}-item-{n}", title=f"Thing {n}"))
        users = [f"{name}-user-{user}" for user in range(3)]
        for user_id in users:
            events = [
                Event(
                    event_type=("view", "click", "purchase")[n % 3],
                    event_id=f"{user_id}-{n}",
                    user_id=user_id,
                    item_id=f"{name}-item-{n % 5}",
                )
                for n in range(9)
            ]
            shown = [Shown(f"{name}-item-0", 1), Shown(f"{name}-item-1", 2)]
            seen = Event(
                event_type="impression",
                event_id=f"{user_id}-s",
                user_id=user_id,
                list_id="",
                items=shown,
                surface="home",
            )
            assert service.send_events([*events, events[-1], seen], most_events=4) == 11
        lists = {}
        while len(lists) < len(users):
            time.sleep(0.1)
            for user_id in users:
                made = service.get_recommendations(user_id)
                if not made.is_default:
                    lists[user_id] = {"list_id": made.list_id, "items": [item.item_id for item in made.items]}
    print(json.dumps(lists))


if __name__ == "__main__":
    main(*sys.argv[1:])
