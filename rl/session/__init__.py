"""One seed: the learning loop, its evaluations, and the checkpoints to resume from."""
