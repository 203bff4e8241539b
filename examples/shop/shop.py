"""A shop's side of recommendations: what people do goes to Kafka, and their lists come from there."""

from __future__ import annotations

from stream_rec.client import EventProducer, RecommendationsView
from stream_rec.kafka_settings import KafkaSettings


class Shop:
    """Tells what people do, and shows them lists."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._events = EventProducer(kafka)
        self._lists = RecommendationsView(kafka)

    def open_product(self, person: str, product: str) -> str:
        """Show a product, and tell that it was looked at."""
        event = self._events.view(person, product)
        self._events.flush()
        return event

    def check_out(self, person: str, products: list[str]) -> list[str]:
        """Sell products, and tell that they were bought."""
        events = [self._events.purchase(person, product) for product in products]
        self._events.flush()
        return events

    def home_page(self, person: str, basket: list[str]) -> list[str]:
        """Return the products on a person's page, without what is in the basket."""
        made = self._lists.for_user(person)
        return [item.item_id for item in made.items if item.item_id not in basket] if made else []

    def close(self) -> None:
        """Let go of the connections."""
        self._events.close()
        self._lists.close()
