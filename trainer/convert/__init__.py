"""Weights in other layouts: Hugging Face's and Meta's, out and in."""
