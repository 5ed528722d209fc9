"""Raw bytes to documents, one module for each source."""
