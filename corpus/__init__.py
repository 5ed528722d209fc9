"""What a document is, and everything that can be done to text: pure, engine-free."""
