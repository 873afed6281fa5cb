"""Training in epochs of batches, and by L-BFGS.

The modules use the objects of `skmlp.core` and do not depend on the estimators.
"""
