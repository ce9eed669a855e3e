"""Figures of what was found: the unknown environments, RDF and XRD of a phase, hull, gaps, clusters of metal."""

from __future__ import annotations

import numpy as np
import pandas as pd

from aiida_seireact import query
from aiida_seireact.figures.chart import Chart
from aiida_seireact.figures.entry import LIC, LPSC, Entry
from aiida_seireact.figures.figure import Reference
from aiida_seireact.figures.tables import QUANTITY, VALUE, below_each_other
from aiida_seireact.query import What

ANALYSIS = "`analysis_arrays` ← `seireact.analyse`"
DISCOVERY = "`discovery`, `discovery_arrays` ← `seireact.classify`"
ALL = "all"
CLUSTERS = {
    "n_clusters": "clusters",
    "largest_atoms": "largest cluster",
    "mean_size_atoms": "cluster of a random atom",
    "dimension": "dimension",
}
CLUSTER_LABELS = {
    "clusters": "clusters", "largest cluster": "atoms", "cluster of a random atom": "atoms",
    "dimension": "directions without an end",
}  # fmt: skip
SULFUR = {"counted": "counted", "expected": "x_S⁴, by chance"}


def of_whole(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are of a whole cell."""
    return found[found["of"] == ALL].reset_index(drop=True)


def of_parts(found: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are of environments of one kind, with the name that was suggested for them."""
    found = found[found["of"] != ALL].reset_index(drop=True)
    if "suggested_name" not in found:
        return found
    named = found["suggested_name"].where(found["suggested_name"] == "", " (" + found["suggested_name"] + ")")
    return found.assign(of=found["of"] + named)


def unknown_groups(what: What) -> pd.DataFrame:
    """Return the groups of environments that were looked at, the largest first; not those known already."""
    found = query.groups(what)
    found = found[(found["level"] == "group") & (found["share_of_interphase"] > 0)]
    order = np.lexsort((-found["share_of_interphase"], found.groupby("run_uuid", sort=False).ngroup()))
    return found.iloc[order].reset_index(drop=True)


FOUND = {
    "sulfur": Entry(
        title="Li2S or chance",
        paper=LPSC,
        shows="27 % Li2S, beside x_S⁴ = 0.72⁴ = 0.269 that a random mixture gives",
        caption="Share of the Li of each antifluorite-like region whose four anions are S, beside x_S⁴ by composition.",
        queries=("sulfur",),
        nodes="`discovery` ← `seireact.classify`",
        needs="classify a run in which a region of environments was found that has S",
        read=lambda what: below_each_other(query.sulfur(what), SULFUR),
        chart=Chart(
            "bar", "region", VALUE, x_label="", y_label="share of the Li with four S", series=QUANTITY, from_zero=True,
            has_mean=False, hover=("suggested_name", "p_value"),
        ),
    ),
    "groups": Entry(
        title="What the interphase is made of",
        paper=LPSC,
        shows="fractions of the Li environments of the SEI: the new phase, Li2S, LiCl, Li3P, unknown",
        caption="Share of the interphase of each group of environments; under the pointer what it may be, and why.",
        queries=("groups",),
        nodes=DISCOVERY,
        needs="classify a run that has unknown environments",
        read=unknown_groups,
        chart=Chart(
            "bar", "id", "share_of_interphase", x_label="", y_label="share of the interphase", from_zero=True,
            has_mean=False, hover=("suggested_name", "kind", "reason"),
        ),
    ),
    "rdf": Entry(
        title="Radial distribution functions",
        paper=LPSC,
        shows="partial RDFs; for Li|Li3InCl6 those of network and AIMD overlaid at 100 ps",
        caption="Of the last part of each run; a run of the model and one of the labeller lie over each other.",
        queries=("rdf",),
        nodes=ANALYSIS,
        needs="analyse a run (`rdf` is on by default)",
        read=lambda what: of_whole(query.rdf(what)),
        chart=Chart(
            "line", "r_ang", "g", x_label="r (Å)", y_label="g(r)", panel="pair", columns=4, from_zero=True,
            references=(Reference("horizontal", 1.0),),
        ),
    ),
    "found_rdf": Entry(
        title="Radial distribution functions of the found phase",
        paper=LPSC,
        shows="partial RDFs of the new phase",
        caption="Around the environments of each group that was looked at.",
        queries=("rdf",),
        nodes=DISCOVERY,
        needs="classify a run that has unknown environments",
        read=lambda what: of_parts(query.rdf(what)),
        chart=Chart(
            "line", "r_ang", "g", x_label="r (Å)", y_label="g(r)", series="pair", panel="of", from_zero=True,
            has_mean=False, references=(Reference("horizontal", 1.0),),
        ),
    ),
    "xrd": Entry(
        title="Powder diffraction of a run",
        paper=LPSC,
        shows="XRD pattern of a run, or of a classified subset",
        caption="Cu Kα; 100 at the highest point.",
        queries=("xrd",),
        nodes=ANALYSIS,
        needs="analyse a run with `xrd`",
        read=lambda what: of_whole(query.xrd(what)),
        chart=Chart("line", "two_theta_deg", "intensity", x_label="2θ (°)", y_label="intensity", from_zero=True),
    ),
    "found_xrd": Entry(
        title="Powder diffraction of the found phase",
        paper=LPSC,
        shows="XRD pattern of the new phase beside that of the known crystal it is like",
        caption="Of each group of environments and of each region, beside the crystal nearest by diffraction.",
        queries=("xrd",),
        nodes=DISCOVERY,
        needs="classify a run that has unknown environments",
        read=lambda what: of_parts(query.xrd(what)),
        chart=Chart(
            "line", "two_theta_deg", "intensity", x_label="2θ (°)", y_label="intensity", series="pattern",
            panel="of", has_mean=False,
        ),
    ),
    "products": Entry(
        title="What two phases become",
        paper=LPSC,
        shows="reaction energies by mixing fraction: the thermodynamic expectation",
        caption="Energy of the reaction against the fraction of atoms that come from the first phase.",
        queries=("products",),
        nodes="`products` ← `predict_products`",
        needs="predict the products of two phases (`aiida-seireact products`)",
        read=lambda what: query.products(what).assign(of=lambda rows: rows["first"] + " | " + rows["second"]),
        chart=Chart(
            "line", "mixing_fraction", "energy_ev_per_atom", x_label="fraction of atoms of the first phase",
            y_label="reaction energy (eV/atom)", series="of", has_mean=False, hover=("reaction",),
        ),
    ),
    "hull": Entry(
        title="Energies above the hull",
        paper=LPSC,
        shows="Li2S0.75P0.125Cl0.125 lies 27.7 meV/atom above the hull",
        caption="Each phase and each ordering above the hull of what it would become.",
        queries=("hull",),
        nodes="`stability` ← `place_on_hull`; `products` ← `predict_products`",
        needs="follow up a composition (`aiida-seireact follow-up`), or predict products",
        read=lambda what: query.hull(what).dropna(subset=["above_hull_mev_per_atom"]).reset_index(drop=True),
        chart=Chart(
            "scatter", "phase", "above_hull_mev_per_atom", x_label="", y_label="above the hull (meV/atom)",
            series="kind", has_mean=False, references=(Reference("horizontal", 0.0),),
            hover=("formula", "degeneracy", "level"),
        ),
    ),
    "entropy": Entry(
        title="What disorder is worth",
        paper=LPSC,
        shows="configurational entropy of about 20 meV/atom at 300 K",
        caption="Free energy above the hull by temperature: sites filled at random, and over the orderings.",
        queries=("entropy",),
        nodes="`stability` ← `place_on_hull`",
        needs="follow up a composition (`aiida-seireact follow-up`)",
        read=lambda what: query.entropy(what),
        chart=Chart(
            "line", "temperature_k", "above_hull_mev_per_atom", x_label="temperature (K)",
            y_label="above the hull (meV/atom)", series="estimate", has_mean=False,
            references=(Reference("horizontal", 0.0),),
        ),
    ),
    "gaps": Entry(
        title="Band gaps",
        paper=LPSC,
        shows="gaps of the new phase, 1.4 to 2.0 eV, and of Li2S, 3.4 eV",
        caption="By the engine that computes levels; a metal has none.",
        queries=("gaps",),
        nodes="`gaps` ← `collect_vasp_gaps`, `collect_pw_gaps`",
        needs="follow up a composition with an engine that computes levels (VASP, Quantum ESPRESSO)",
        read=lambda what: query.gaps(what).dropna(subset=["gap_ev"]).reset_index(drop=True),
        chart=Chart(
            "bar", "name", "gap_ev", x_label="", y_label="band gap (eV)", from_zero=True, has_mean=False,
            hover=("method", "direct_ev"),
        ),
    ),
    "clusters": Entry(
        title="Clusters of metal",
        paper=LIC,
        shows="reduced In forms metallic clusters in LiCl; whether they percolate",
        caption="Bonded atoms of the elements asked for; a cluster of dimension 1 or more has no end: it percolates.",
        queries=("clusters",),
        nodes=ANALYSIS,
        needs="analyse a run with `clusters: {species: [In], cutoff_ang: 3.7}`",
        read=lambda what: below_each_other(query.clusters(what), CLUSTERS),
        chart=Chart(
            "line", "time_ps", VALUE, x_label="time (ps)", panel=QUANTITY, y_labels=CLUSTER_LABELS, from_zero=True,
        ),
    ),
    "cell": Entry(
        title="The cell, coloured by phase",
        paper=LPSC,
        shows="snapshots of the cell with time, atoms coloured by phase",
        why_not="a picture of atoms has no table: `aiida-seireact report` shows the classified cell in 3D.",
    ),
    "interface_gap": Entry(
        title="Band gap of the reacted interface",
        paper=LPSC,
        shows="band gap of the reacted half cell of 228 atoms, 1.2 eV",
        why_not=(
            "band gaps are computed of the orderings of a composition that is followed up (`gaps`); none computes "
            "the levels of a cell taken from a run."
        ),
    ),
}  # fmt: skip
