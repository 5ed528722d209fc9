"""Cleaners: text to text, or a reason to drop."""
