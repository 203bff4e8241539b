"""Classifiers of River to rank with in place of our own head. How they compare: docs/concepts/how-it-learns.md.

    PYTHONPATH=examples STREAM_REC_HEAD_RIVER=river_head:logistic stream-rec evaluate ...

A factory takes no arguments and returns a fresh, seeded model. Features lie between -1 and 1 (stream_rec/ranking/
features.py); the names of the last, ``user_0`` and on, are the user's, equal for all candidates of one list.
"""

from river import compose, forest, linear_model, optim, preprocessing, tree


def logistic() -> compose.Pipeline:
    """Return a logistic regression on standardized features, as River's own tutorials have it."""
    return preprocessing.StandardScaler() | linear_model.LogisticRegression(optim.AdaGrad(0.05))


def adaptive_tree() -> tree.HoeffdingAdaptiveTreeClassifier:
    """Return one tree that grows another below a node whose errors rise."""
    return tree.HoeffdingAdaptiveTreeClassifier(grace_period=200, leaf_prediction="nb", seed=0)


def adaptive_forest() -> forest.ARFClassifier:
    """Return a small forest whose trees are replaced as they drift."""
    return forest.ARFClassifier(n_models=5, leaf_prediction="nb", seed=0)
