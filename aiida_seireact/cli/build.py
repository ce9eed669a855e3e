"""``aiida-seireact build``: cells from crystals. Nothing heavy is imported before a command is chosen."""

from __future__ import annotations

import click

from aiida_seireact.cli._lazy import LazyGroup
from aiida_seireact.cli._profile import profile_option
from aiida_seireact.cli.build_cell import HELP

# name: (where it is, what it does), as in `cli.main`.
COMMANDS = {
    "library": ("build_library:library_", "List the phases that are known, or print one as CIF."),
    "match": ("build_match:match", "List how the lattices of two crystals fit onto each other, plane by plane."),
    "interface": ("build_interface:interface", "Stack two crystals, with a coating between them if you like."),
    "slab": ("build_slab:slab", "Cut a free slab of one crystal, with vacuum above it."),
    "boundary": ("build_boundary:boundary", "Turn a crystal against itself: both grain boundaries of a periodic cell."),
    "disorder": (
        "build_disorder:disorder",
        "Draw a disordered crystal many times, ranked by its Ewald energy if you like.",
    ),
    "orderings": ("build_disorder:orderings", "List the orderings of a disordered crystal that symmetry tells apart."),
    "defects": ("build_defects:defects", "Make vacancies, interstitials and antisites at random."),
    "cell": ("build_recipe:cell", "Build any cell from its recipe in YAML or JSON."),
}


@click.group("build", cls=LazyGroup, table=COMMANDS, context_settings=HELP)
@profile_option
def build(profile: str | None) -> None:
    """Build cells: interfaces of two crystals, coatings, free slabs, or whatever a recipe says.

    A crystal is a phase of the library (`aiida-seireact build library`) or a CIF file of yours. Every command ends
    alike: --dry-run says what the cell would be, --out writes it, --picture draws it, --write-recipe keeps what decides
    it, --store puts it into the profile, --submit has a large one built by the daemon.

    \b
    Examples:
      aiida-seireact build match Li6PS5Cl Li                          which supercells fit?
      aiida-seireact build interface Li6PS5Cl Li --layers-a 2 --layers-b 6 -o cell.cif --picture cell.png
      aiida-seireact build interface mine.cif Li --thickness-a 20 --thickness-b 30 --dry-run
      aiida-seireact build cell recipe.yaml --store                   any recipe, as a process of AiiDA
    """
