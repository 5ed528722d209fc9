"""Choosing rules and thresholds by what they do to real documents: from the scores that steps stored."""
