"""What an app needs, on kafka-python: ``EventProducer`` says what users do, ``RecommendationsView`` holds their lists.

``SurfacesView`` holds the lists beside those that are pushed.

Example::

    with EventProducer("localhost:9092") as events, RecommendationsView("localhost:9092") as lists:
        lists.wait_until_ready()
        events.view("user-7", "item-42")
        slate = lists.for_user("user-7")

What is sent, and what the pipeline says to it, can be seen without a broker:

    >>> import msgspec
    >>> from stream_rec.events import validate
    >>> from stream_rec.events.interaction import Interaction
    >>> view = Interaction("e-1", "ann", "cup-3", timestamp_ms=1_700_000_000_000)
    >>> value = msgspec.json.encode(view)
    >>> value
    b'{"event_id":"e-1","user_id":"ann","item_id":"cup-3","timestamp_ms":1700000000000}'
    >>> now = {"received_ms": 1_700_000_000_500, "limits": validate.InputLimits()}
    >>> validate.interaction(b"ann", value, **now) == view
    True
    >>> validate.interaction(b"bob", value, **now).reason
    'key_mismatch'
"""

from stream_rec.client.producer import EventProducer, InvalidEventError
from stream_rec.client.view import RecommendationsView, SurfacesView

__all__ = ["EventProducer", "InvalidEventError", "RecommendationsView", "SurfacesView"]
