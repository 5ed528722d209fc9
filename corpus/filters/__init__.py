"""Filters: text to scores, scores to a decision with a reason."""
