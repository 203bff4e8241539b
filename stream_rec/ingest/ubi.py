"""User Behavior Insights: what an app sends that is instrumented for it, as fields and types of ours.

Source:
    UBI 1.3.0, ``event.schema.json`` and ``query.request.schema.json`` of the o19s/ubi repository.
"""

from __future__ import annotations

from stream_rec.ingest_settings import Meaning, Paths

USER: Paths = ("user_id", "event_attributes.user_id", "query_attributes.user_id", "client_id")
"""Who is known by name is the same on all devices; ``client_id`` is one browser."""
EVENT_FIELDS: dict[str, Paths] = {
    "user_id": USER,
    "event_type": "action_name",
    "item_id": "event_attributes.object.object_id",
    "query": ("user_query", "message"),
    "position": ("event_attributes.position.ordinal", "event_attributes.position.index"),
    "list_id": "query_id",
    "surface": "application",
    "context.session": "session_id",
    "context.query_id": "query_id",
}
QUERY_FIELDS: dict[str, Paths] = {
    "user_id": USER,
    "query": "user_query",
    "items": "query_response_hit_ids",
    "list_id": "query_id",
    "surface": "application",
    "context.query_id": "query_id",
}
TYPES: dict[str, Meaning] = {
    "click": "click",
    "click_through": "click",
    "item_click": "click",
    "add_to_cart": "click",
    "view": "view",
    "watch": "view",
    "purchase": "purchase",
    "impression": "impression",
}
"""The standard's own actions. All others (hovering, sorting, logging in) are left out unless `types` names them."""
