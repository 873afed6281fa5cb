"""Preprocessing of tables with numbers and categories."""
