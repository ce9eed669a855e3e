"""Figures from the graph: a table of numbers with the nodes behind them, and two renderings of it."""
