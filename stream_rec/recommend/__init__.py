"""From a user's state and the catalog to a ranked list, and from what was chosen to a better head.

``rank.py`` finds and scores candidates; ``make_list.py`` makes a list of them: vary, give fresh slots, explore,
explain; ``learn.py`` learns from what the user did next. ``recommender.py`` is what calls them, in production, replay
and evaluation.
"""
