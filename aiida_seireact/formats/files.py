"""Names of the files that pass between the programs and the AiiDA side; each has one meaning everywhere."""

from __future__ import annotations

JOB = "job.json"
RESULT = "result.json"

FRAMES = "frames.npz"
LABELLED = "labelled.npz"
FINISHED = "finished.jsonl"

PACKAGE = "model.nequip.zip"
PARENT_PACKAGE = "parent.nequip.zip"
COMPILED = "model.nequip.pt2"
MLIAP = "model.nequip.lmp.pt"
CURVE = "curve.json"
RESCUED = "rescued.json"
CHECKPOINT = "checkpoint.zip"
PREVIOUS_CHECKPOINT = "previous_checkpoint.zip"
PREDICTIONS = "predictions.npz"
NEQUIP_CONFIG = "config.yaml"
NEQUIP_LOG = "nequip.log"
COMPILE_LOG = "compile.log"

LAMMPS_INPUT = "in.lammps"
LAMMPS_RESUME_INPUT = "in.resume.lammps"
LAMMPS_CHECK_INPUT = "in.check.lammps"
# Of one rank, and of all.
CHECK_LOGS = ("log.check_one", "log.check_all")
LAMMPS_LOG = "log.lammps"
MANIFEST = "manifest.json"
THERMO = "thermo.npz"
COMPUTED = "computed.npz"

PHASES = "phases.npz"
LABELS = "labels.npz"
LABELS_MANIFEST = "labels.json"
DRAWN = "drawn.npz"
LANDMARK_PLACES = "landmark_places.npz"
DENDROGRAM = "dendrogram.npz"
ANALYSIS = "analysis.npz"
THERMO_TABLE = "thermo.npz"
DISCOVERY = "discovery.npz"
EXAMPLES = "examples.npz"

SGP = "sgp.npz"
LAST_SGP = "last_sgp.npz"
STATE = "state.npz"
LAST_STATE = "last_state.npz"
START = "start.npz"
ASKED = "asked.npz"
VISITED = "visited.npz"
TRACE = "trace.npz"
CANARY = "canary.npz"

SAMPLED = "sampled.npz"
ISOLATED_ATOMS = "isolated_atoms.npz"

SELECTED = "selected.npz"
SELECTION = "selection.npz"
CURATION = "curation.npz"
VALIDATION = "validation.npz"
PARENT_PREDICTIONS = "parent_predictions.npz"

CELL = "cell"
CELL_DATA = "cell.data"
CELL_FRAMES = "cell.npz"
