"""Publication data from the provenance graph: each function returns a table (a pandas DataFrame).

They take one process (node, PK or UUID), several of them, or a group; they look at sealed processes that ended with
exit status 0, reached by links from there. Every table has the columns ``run`` (label of the process asked for, or
the beginning of its UUID), ``run_uuid``, ``stage``, ``part`` and ``path`` (where under it), ``node_uuid`` (what holds
the number) and ``process_uuid`` (what made it). Units are in the names of the columns.
"""

from aiida_seireact.query.failures import failures
from aiida_seireact.query.graph import walked
from aiida_seireact.query.health import health
from aiida_seireact.query.interphase import paces, phases, profiles, ps4, thickness
from aiida_seireact.query.labelling import coverage, datasets, labels, members
from aiida_seireact.query.learning import calls, campaigns, canaries, canary_atoms, uncertainties
from aiida_seireact.query.ledger import costs, processes
from aiida_seireact.query.md import runs, speeds, traces
from aiida_seireact.query.sources import QueryError, What
from aiida_seireact.query.stability import entropy, gaps, hull, products
from aiida_seireact.query.stages import stages
from aiida_seireact.query.structure import clusters, groups, rdf, sulfur, templates, xrd
from aiida_seireact.query.training import curves, models, parity
from aiida_seireact.query.transport import conductivity, diffusion, far_movers, msd, onsager, survival
from aiida_seireact.query.validation import elastic, eos, scores

__all__ = [
    "QueryError",
    "What",
    "calls",
    "campaigns",
    "canaries",
    "canary_atoms",
    "clusters",
    "conductivity",
    "costs",
    "coverage",
    "curves",
    "datasets",
    "diffusion",
    "elastic",
    "entropy",
    "eos",
    "failures",
    "far_movers",
    "gaps",
    "groups",
    "health",
    "hull",
    "labels",
    "members",
    "models",
    "msd",
    "onsager",
    "paces",
    "parity",
    "phases",
    "processes",
    "products",
    "profiles",
    "ps4",
    "rdf",
    "runs",
    "scores",
    "speeds",
    "stages",
    "sulfur",
    "survival",
    "templates",
    "thickness",
    "traces",
    "uncertainties",
    "walked",
    "xrd",
]
