"""Draw the pictures of docs/gallery.md from a finished study, as that of `make demo`.

``source demo/env.sh; python docs/images/gallery.py PK`` draws each figure that the study has numbers for, and removes
pictures of figures that it has none for. With ``--more`` the run of the study is analysed further first, by all that
is off by default, and the products of its two phases are predicted: some minutes, in the profile, without a daemon.
SVG where that is small, else PNG: a scatter of thousands of points is not.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

FOLDER = Path(__file__).with_suffix("")
MOST_BYTES = 80_000
CHARGES = {"Li": 1, "P": 5, "S": -2, "Cl": -1}
# Short windows, of a run of 2 ps whose labels begin at 0.1 ps: what is drawn is what a figure looks like.
MORE = (
    {
        "composition": {"charges": CHARGES},
        "xrd": {},
        "diffusion": {"n_blocks": 2},
        "onsager": {"temperature_k": 330.0, "charges": CHARGES, "n_blocks": 2},
        "jumps": {"within_ps": 0.5, "longer_than_ang": 3.0},
        "windows": {"length_ps": 0.8, "by": "both", "at_ps": [0.1, 1.0]},
    },
    {"windows": {"length_ps": 0.5, "by": "slab"}},
    {"windows": {"length_ps": 0.8, "by": "phase", "at_ps": [0.1, 1.0], "temperature_k": 330.0}},
)


def analyse_more(process: int) -> list[int]:
    """Analyse the run of a study by what is off by default, predict products; return the PKs of what went well."""
    from aiida import orm
    from aiida.engine import run_get_node

    from aiida_seireact.workchains.analyse import AnalyseWorkChain
    from aiida_seireact.workchains.products import ProductsWorkChain

    study = orm.load_node(process)
    builders = [
        AnalyseWorkChain.get_builder_from_protocol(
            study.outputs.trajectory, study.outputs.labels, overrides={"parameters": settings}
        )
        for settings in MORE
    ]
    builders.append(ProductsWorkChain.get_builder_from_protocol("Li", "Li6PS5Cl"))
    nodes = [run_get_node(builder).node for builder in builders]
    for node in nodes:
        print(f"{node.process_label} <{node.pk}>: {node.exit_message or 'done'}")
    return [node.pk for node in nodes if node.is_finished_ok]


def draw(processes: list[int], folder: Path = FOLDER) -> dict[str, str]:
    """Draw each figure from the first process that has numbers for it; return for each figure what became of it."""
    from aiida_seireact.figures.figure import FigureError
    from aiida_seireact.figures.gallery import FIGURES, make
    from aiida_seireact.figures.on_paper import to_matplotlib
    from aiida_seireact.figures.saving import save_picture

    told = {}
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name in FIGURES:
        for process in processes:
            try:
                figure = make(name, process)
            except FigureError as error:
                told.setdefault(name, str(error))
                continue
            picture = save_picture(to_matplotlib(figure), folder / f"{name}.svg")
            if picture.stat().st_size > MOST_BYTES:
                picture.unlink()
                picture = save_picture(to_matplotlib(figure), folder / f"{name}.png", dpi=110)
            told[name] = f"{picture.name}, {picture.stat().st_size:,} bytes"
            break
    return told


if __name__ == "__main__":
    from aiida import load_profile

    load_profile()
    pks = [int(word) for word in sys.argv[1:] if word.isdigit()]
    if "--more" in sys.argv:
        pks += analyse_more(pks[0])
    for figure_name, what in draw(pks).items():
        print(f"{figure_name}: {what}")
