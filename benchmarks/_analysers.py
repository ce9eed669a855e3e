"""The same two quantities of one dump, from file to result: ours, MDAnalysis or OVITO. Runs in a process of its own.

`python _analysers.py NAME DUMP OUTPUT.npz`: g(r) of Li-S and P-S up to 8 Å in 160 bins, mean over all frames; windowed
MSD of Li over all origins. Prints one line of JSON: CPU seconds, wall seconds, peak memory, version.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import resource
import sys
import time
import warnings
from pathlib import Path

import numpy as np

PAIRS = (("Li", "S"), ("P", "S"))
R_MAX, N_BINS = 8.0, 160


def ours(dump: Path, output: Path) -> None:
    from aiida_seireact.formats.jobs.analyse import AnalyseJob
    from aiida_seireact.programs.analyse import run

    off = dict.fromkeys(("thickness", "health", "composition"))
    job = AnalyseJob.model_validate(
        {
            "trajectory": {"files": [dump.name]},
            **off,
            "rdf": {"pairs": PAIRS, "last_fraction": 1.0, "r_max_ang": R_MAX, "n_bins": N_BINS},
            "msd": {"species": ["Li"], "remove_drift": False},
            "paths": {"max_frames": 1_000_000},
        }
    )
    run(job, dump.parent, lambda line: None)
    with np.load(dump.parent / "analysis.npz") as found:
        np.savez(output, g=found["rdf_g"], msd=found["msd_ang2"][0].sum(axis=1))


def mdanalysis(dump: Path, output: Path) -> None:
    import MDAnalysis
    from MDAnalysis.analysis.msd import EinsteinMSD
    from MDAnalysis.analysis.rdf import InterRDF

    elements = [line.split()[1] for line in _first_frame(dump)]
    universe = MDAnalysis.Universe.empty(len(elements), trajectory=True)
    universe.add_TopologyAttr("name", elements)
    universe.load_new(str(dump), format="LAMMPSDUMP", lammps_coordinate_convention="unwrapped")
    groups = {symbol: universe.select_atoms(f"name {symbol}") for symbol in ("Li", "P", "S")}
    g = [InterRDF(groups[a], groups[b], nbins=N_BINS, range=(0.0, R_MAX)).run().results.rdf for a, b in PAIRS]
    msd = EinsteinMSD(universe, select="name Li", msd_type="xyz", fft=True).run().results.timeseries
    np.savez(output, g=np.array(g), msd=msd)


def ovito(dump: Path, output: Path) -> None:
    """OVITO has no MSD over all origins: its distribution functions alone, which leaves it less to do."""
    from ovito.io import import_file
    from ovito.modifiers import CoordinationAnalysisModifier

    pipeline = import_file(str(dump))
    pipeline.modifiers.append(CoordinationAnalysisModifier(cutoff=R_MAX, number_of_bins=N_BINS, partial=True))
    total = None
    for frame in range(pipeline.source.num_frames):
        table = pipeline.compute(frame).tables["coordination-rdf"]
        names = list(table.y.component_names)
        columns = [_column(names, pair) for pair in PAIRS]
        values = np.array(table.y)[:, columns].T
        total = values if total is None else total + values
    np.savez(output, g=total / pipeline.source.num_frames, msd=np.zeros(0))


def _column(names: list[str], pair: tuple[str, str]) -> int:
    return next(names.index(name) for name in ("-".join(pair), "-".join(pair[::-1])) if name in names)


def _first_frame(dump: Path) -> list[str]:
    lines = []
    with dump.open() as stream:
        for line in stream:
            if line.startswith("ITEM: TIMESTEP") and lines:
                break
            lines.append(line)
    start = next(n for n, line in enumerate(lines) if line.startswith("ITEM: ATOMS"))
    return lines[start + 1 :]


PACKAGES = {"ours": "aiida-seireact", "mdanalysis": "MDAnalysis", "ovito": "ovito"}
MODULES = {"ours": "aiida_seireact", "mdanalysis": "MDAnalysis", "ovito": "ovito"}

if __name__ == "__main__":
    name, dump, output = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    if importlib.util.find_spec(MODULES[name]) is None:
        print(json.dumps({"missing": MODULES[name]}))
        raise SystemExit
    warnings.simplefilter("ignore")
    # What is imported and compiled once is no part of the work.
    small = dump.with_name("small.dump")
    globals()[name](small, output)
    cpu, wall = time.process_time(), time.perf_counter()
    globals()[name](dump, output)
    print(
        json.dumps(
            {
                "cpu_seconds": time.process_time() - cpu,
                "seconds": time.perf_counter() - wall,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
                "version": importlib.metadata.version(PACKAGES[name]),
            }
        )
    )
