"""The report of a run: gathered from the graph (`gather`), drawn (`figures`), written down (`summary`, `html`)."""
