"""The estimators, and what they make of their parameters and data."""
