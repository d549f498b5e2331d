"""What is new, what may be done with it, and what may be asked: pure functions that take `now` and touch nothing."""
