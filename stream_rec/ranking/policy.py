"""The policy's settings: how the head learns, and what a list gives up of accuracy, for what."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stream_rec.events.interaction import ACTION, Interaction, Kind

Share = Annotated[float, Meta(ge=0, le=1)]


class RankingConfig(Struct, frozen=True, kw_only=True):
    """How a list is made from scored candidates."""

    n: Annotated[int, Meta(ge=1, le=200)] = 20
    """Length of a list."""
    diversity: Share = 0.1
    """0 keeps the order of the scores; 1 looks at variety and the user's mix of categories alone."""
    fresh_worth: Annotated[float, Meta(ge=0, le=1000)] = 3.0
    """How many times its probability a fresh item (fewer than 5 events) counts at the end of the list; 0: no slots."""
    fresh_budget: Share = 0.005
    """Share of what a list is expected to hit that fresh items may cost beyond that: in a sure list a slot is cheap."""
    tail_every: Annotated[int, Meta(ge=0)] = 10
    """Every so many lists, one gives its last slot to the likeliest candidate that no list has shown yet; 0: never."""
    explore_share: Share = 0.005
    """Share of the slots, on average, that go to items with few exposures, drawn by Thompson sampling."""
    seed: int = 0
    """Of every random choice."""


class HeadConfig(Struct, frozen=True, kw_only=True):
    """How the head learns."""

    rate: Annotated[float, Meta(gt=0, le=1)] = 0.05
    """AdaGrad's step size of the linear experts."""
    network_rate: Annotated[float, Meta(gt=0, le=1)] = 0.1
    """AdaGrad's step size of the networks."""
    networks: Annotated[int, Meta(ge=1, le=8)] = 2
    """Networks among the experts that rank all items, which begin differently: their average is better than each."""
    hidden: Annotated[int, Meta(ge=1, le=256)] = 24
    """Hidden units of each network."""
    forget_choices: Annotated[float, Meta(gt=0)] = 4000.0
    """Groups of choices over which AdaGrad's sums are averaged, once there are more: steps stop becoming shorter."""
    memory: Annotated[float, Meta(ge=0.9, le=1)] = 0.999
    """How much of the experts' record is kept from one choice to the next."""
    view_weight: Annotated[float, Meta(ge=0, le=1000)] = 1.0
    """How much a view counts in learning, next to a click and a purchase: who buys means it. 0: not at all."""
    click_weight: Annotated[float, Meta(ge=0, le=1000)] = 2.0
    """The same for a click."""
    purchase_weight: Annotated[float, Meta(ge=0, le=1000)] = 4.0
    """The same for a purchase."""
    action_weights: Annotated[dict[str, Annotated[float, Meta(ge=0, le=1000)]], Meta(max_length=1000)] = {}
    """The same for events whose context says such an `action`, as that of types of yours does, in place of their kind:
    `{add_to_cart = 3, wished = 2.5}`."""
    action_rate: Annotated[float, Meta(ge=0, le=1)] = 0.2
    """How fast it is learned how much such events teach about all others whose `action` is not in `action_weights`,
    from .02 of what their kind does to all of it; 0: they count as their kind does."""
    drift_delta: Annotated[float, Meta(ge=0, lt=1)] = 0.02
    """How easily worse predictions are taken for a change of taste, after which the head learns faster; 0 never."""
    river: str = ""
    """`module:factory` of a River classifier to rank with, such as `river.linear_model:LogisticRegression`. Empty: our
    own head. A single process only: such a head cannot be merged between workers."""
    river_negatives: Annotated[int, Meta(ge=1, le=1000)] = 10
    """Candidates not chosen that a River classifier learns from, for each group of choices."""

    def weigh(self, kind: Kind, event: Interaction | None = None) -> float:
        """Return how much an event counts in learning.

        Example:
            >>> wished = Interaction("e", "ann", "tea", 1000, context={"action": "wished"})
            >>> config = HeadConfig(action_weights={"wished": 2.5})
            >>> config.weigh(Kind.CLICK), config.weigh(Kind.CLICK, wished)
            (2.0, 2.5)
        """
        if self.action_weights and event is not None:
            action = event.context.get(ACTION)
            if isinstance(action, str) and action in self.action_weights:
                return self.action_weights[action]
        return (self.view_weight, self.click_weight, self.purchase_weight)[kind]

    def find_learned_action(self, event: Interaction) -> str | None:
        """Return the type of an event whose weight is learned; None of one that counts as declared."""
        action = event.context.get(ACTION) if event.context and self.action_rate > 0 else None
        return action if isinstance(action, str) and action not in self.action_weights else None
