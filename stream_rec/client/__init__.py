"""What an app needs, on kafka-python: ``EventProducer`` says what users do, ``RecommendationsView`` holds their lists.

Example::

    with EventProducer("localhost:9092") as events, RecommendationsView("localhost:9092") as lists:
        lists.wait_until_ready()
        events.view("user-7", "item-42")
        slate = lists.for_user("user-7")
"""

from stream_rec.client.producer import EventProducer, InvalidEventError
from stream_rec.client.view import RecommendationsView

__all__ = ["EventProducer", "InvalidEventError", "RecommendationsView"]
