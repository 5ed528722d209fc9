"""From text to packed tokens in training order."""
