"""How far an environment may be from a template of polyhedral template matching and still be called by its name."""

from __future__ import annotations

RMSD_MAX = 0.15
"""Largest root mean square deviation over the distance of neighbours, dimensionless.

Chosen by `python -m benchmarks.templates`: 0.10 loses a third of bcc Li at 300 K and half of it at a rattle of 0.20 Å,
0.15 keeps 99 and 100 %, and calls no atom of a glass crystalline. At 0.15 a tenth of Li3P is called bcc
(docs/howto/analyse_a_long_run.md has the table)."""
