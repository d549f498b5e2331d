"""What is new about a name, and what may be done with it: pure functions that take `now` and touch nothing."""
