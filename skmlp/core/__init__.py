"""The network and its training mathematics, in NumPy.

Nothing here knows scikit-learn: the modules work on plain arrays and are used
by `skmlp.training`, which in turn is used by the estimators.
"""
