"""Raw files from their origins: each one's listing, and the one way to fetch a file."""
