"""Lines of a scorecard: each kind of test says what it needs and measures it; no I/O."""
