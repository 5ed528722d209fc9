"""What one step does to one part, free of any engine."""
