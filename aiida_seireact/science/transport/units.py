"""The one place where Å, ps and eV become cm, s and S/cm."""

from __future__ import annotations

from scipy.constants import Boltzmann, elementary_charge

CM2_PER_S = 1e-4
"""One Å²/ps in cm²/s."""
BOLTZMANN_EV_PER_K = Boltzmann / elementary_charge
S_PER_CM = elementary_charge / 1e-10 / 1e-12 / 100
"""One e²/(eV Å ps) = one e/(V Å ps) in S/cm, about 16.02."""
