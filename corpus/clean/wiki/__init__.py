"""The steps of the cleaner `wikitext`: values of templates, one pass over the markup, then lines and sections."""
