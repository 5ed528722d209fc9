"""Deduplication: signatures and decisions as array functions."""
