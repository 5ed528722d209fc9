"""What a training run takes before it is run: memory, time, energy. Imports no torch."""
