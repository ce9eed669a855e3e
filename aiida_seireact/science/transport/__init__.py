"""How atoms move: displacements, jumps, diffusion with honest errors, Onsager coefficients, residence, regimes."""
