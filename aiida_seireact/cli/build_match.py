"""``aiida-seireact build match``: how two lattices fit onto each other."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from aiida_seireact.cli._profile import profile_option, terminal
from aiida_seireact.cli.build_cell import HELP, sentence
from aiida_seireact.cli.build_phases import WORDS, Plane, crystal_of, phase_of

if TYPE_CHECKING:
    from pymatgen.core.structure import Structure

    from aiida_seireact.science.structures.matching import Match
    from aiida_seireact.science.structures.orient import Unit

Hkl = tuple[int, int, int]


@click.command("match", context_settings=HELP)
@profile_option
@click.argument("a", metavar="A")
@click.argument("b", metavar="B")
@click.option("--hkl-a", type=Plane(), multiple=True, metavar="PLANE", help="Planes of A (110, '1 -1 0'); may be given "
              "again; default: all with indices up to 1 that differ.")  # fmt: skip
@click.option("--hkl-b", type=Plane(), multiple=True, metavar="PLANE", help="Planes of B, likewise.")
@click.option("--max-strain", type=float, default=0.05, show_default=True, help="Largest principal strain, all of it "
              "on one side.")  # fmt: skip
@click.option("--max-area", type=float, default=200.0, show_default=True, metavar="Å²", help="Largest area.")
@click.option("--rows", type=click.IntRange(1), default=5, show_default=True, help="Rows for each pair of planes.")
@click.option("--json", "as_json", is_flag=True, help="Print all rows as JSON, with the supercells.")
def match(
    profile: str | None,
    a: str,
    b: str,
    hkl_a: tuple[Hkl, ...],
    hkl_b: tuple[Hkl, ...],
    max_strain: float,
    max_area: float,
    rows: int,
    as_json: bool,
) -> None:
    """List supercells of A and B that lie on each other, the smallest first.

    A and B are phases of the library or CIF files; `Li:a=3.42` is lithium with another lattice parameter. A row is
    what `build interface --match ROW` takes, with the same planes and limits. Strain is told for either side, if it
    takes all; atoms are those of one smallest layer.

    \b
    Examples:
      aiida-seireact build match Li6PS5Cl Li                            all pairs of low planes
      aiida-seireact build match Li6PS5Cl Li --hkl-a 100 --hkl-b 110 --max-area 600 --rows 20
      aiida-seireact build match mine.cif LiCl --max-strain 0.02 --json
    """
    try:
        crystals = [crystal_of(phase_of(told)[1]) for told in (a, b)]
        planes = [list(dict.fromkeys(told)) or _low_planes(c) for told, c in zip((hkl_a, hkl_b), crystals, strict=True)]
        units = [
            {plane: _unit(crystal, plane) for plane in of}
            for crystal, of in zip(crystals, planes, strict=True)
        ]  # fmt: skip
        found, refused = _matches(units, max_strain, max_area)
    except ValueError as error:
        raise click.ClickException(sentence(error, WORDS)) from None
    if not found:
        raise click.ClickException("\n".join(_reasons(refused)))
    if as_json:
        content = [
            {"hkl_a": list(of_a), "hkl_b": list(of_b), "row": row, **item.as_dict()} for of_a, of_b, row, item in found
        ]
        click.echo(json.dumps(content, indent=1))
        return
    _tell(a, b, [line for line in found if line[2] <= rows])
    from aiida_seireact.cli.render.words import counted

    hidden = sum(row > rows for _, _, row, _ in found)
    if hidden:
        click.echo(f"{counted(hidden, 'row')} more: --rows N shows them.")
    for reason in _reasons(refused):
        click.echo(reason)


def _low_planes(crystal: Structure) -> list[Hkl]:
    """Return the planes with indices up to 1 that symmetry does not make alike."""
    from pymatgen.core.surface import get_symmetrically_distinct_miller_indices

    found = get_symmetrically_distinct_miller_indices(crystal, 1)
    planes = [(int(hkl[0]), int(hkl[1]), int(hkl[2])) for hkl in found]
    return sorted(planes, key=lambda hkl: (sum(map(abs, hkl)), hkl))


def _unit(crystal: Structure, hkl: Hkl) -> Unit:
    from aiida_seireact.science.structures.orient import oriented_unit

    return oriented_unit(crystal, hkl)


def _matches(
    units: list[dict[Hkl, Unit]], max_strain: float, max_area: float
) -> tuple[list[tuple[Hkl, Hkl, int, Match]], dict[tuple[Hkl, Hkl], ValueError]]:
    """Return planes, row and match, by area and strain; and why a pair of planes has none.

    :raises ValueError: limits that no pair could meet.
    """
    from aiida_seireact.science.structures.matching import match as matches

    found, refused = [], {}
    for of_a, unit_a in units[0].items():
        for of_b, unit_b in units[1].items():
            try:
                table = matches(unit_a, unit_b, max_strain=max_strain, max_area_ang2=max_area)
            except ValueError as error:
                refused[of_a, of_b] = error
                continue
            found += [(of_a, of_b, row, item) for row, item in enumerate(table, start=1)]
    return sorted(found, key=lambda line: (round(line[3].area_ang2, 4), line[3].strain, line[:3])), refused


def _reasons(refused: dict[tuple[Hkl, Hkl], ValueError]) -> list[str]:
    """Return why pairs of planes have no match, once where it is the same for all, as for a limit that is none."""
    said = [sentence(reason, WORDS) for reason in refused.values()]
    if len(set(said)) == 1:
        return said[:1]
    return [f"{_name(a)} on {_name(b)}: {words}" for (a, b), words in zip(refused, said, strict=True)]


def _tell(a: str, b: str, lines: list[tuple[Hkl, Hkl, int, Match]]) -> None:
    from rich.table import Table

    table = Table(title=f"{a} on {b}", title_justify="left")
    table.add_column("planes", no_wrap=True)
    for title in ("row", "Å²", "strain of A (%)", "or of B (%)", "angle (°)", "twist (°)", "atoms A", "atoms B"):
        table.add_column(title, justify="right", no_wrap=True)
    for of_a, of_b, row, item in lines:
        table.add_row(
            f"{_name(of_a)} {_name(of_b)}", str(row), f"{item.area_ang2:.1f}", _percent(item.strain_a),
            _percent(item.strain_b), f"{item.angle_deg:.1f}", f"{item.twist_deg:.1f}", f"{item.atoms_a:g}",
            f"{item.atoms_b:g}",
        )  # fmt: skip
    terminal().print(table)


def _name(hkl: Hkl) -> str:
    return f"({' '.join(map(str, hkl))})"


def _percent(strains: tuple[float, float]) -> str:
    return " ".join(f"{100 * strain + 0.0:+.2f}" for strain in strains)
