"""The training loops: mini-batches over epochs, and L-BFGS.

They drive the objects of `skmlp.core` and are driven by the estimators.
"""
