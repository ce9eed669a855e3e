"""HOW a program is started: one CalcJob a file turns nodes into input files."""
