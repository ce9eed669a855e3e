"""HOW a program's output becomes nodes: one parser a file, failures told apart by exit code."""
