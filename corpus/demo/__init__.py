"""A small corpus of all seven sources in their native formats, made of what a Python installation carries."""
