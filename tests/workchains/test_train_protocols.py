"""The protocols of training, against the paper and against the network that nequip builds of them."""

from __future__ import annotations

from typing import Any

import pytest

from aiida_seireact.formats.nequip_config import build_config
from aiida_seireact.formats.train_settings import TrainSettings
from aiida_seireact.workchains.train import TrainWorkChain

SPECIES = ["Li", "P", "S", "Cl"]


def settings_of(protocol: str) -> TrainSettings:
    parameters = TrainWorkChain.get_protocol_inputs(protocol)["parameters"]
    return TrainSettings.model_validate(parameters["settings"])


def built(protocol: str) -> Any:
    """Return the network that nequip builds of a protocol, with made-up statistics of the data."""
    import torch
    from hydra.utils import instantiate
    from nequip.utils.global_state import set_global_state

    before = torch.get_default_dtype()
    set_global_state()
    config = build_config(
        settings_of(protocol), species=SPECIES, train="t", val="v", shifts=dict.fromkeys(SPECIES, 0.0)
    )
    described = config["training_module"]["model"]
    statistics = {"avg_num_neighbors": 42.0, "per_type_energy_scales": dict.fromkeys(SPECIES, 1.0)}
    try:
        return instantiate({**described, **statistics}, _recursive_=False, _convert_="all")
    finally:
        torch.set_default_dtype(before)  # other models of this session want single precision


@pytest.mark.parametrize("protocol", ["fast", "balanced", "paper"])
def test_protocols_fit_their_schema(protocol: str) -> None:
    assert settings_of(protocol).learner == "allegro"


def test_the_paper_s_numbers_are_the_paper_s() -> None:
    """arXiv:2506.10944, as in SCIENCE.md, 1.4."""
    paper = settings_of("paper")
    assert (paper.num_layers, paper.num_tensor_features, paper.r_max) == (2, 8, 6.0)
    assert (paper.num_bessels, paper.polynomial_cutoff_p, paper.l_max, paper.parity) == (8, 6, 2, True)
    loss = paper.loss
    assert (loss.energy / loss.forces, loss.stress / loss.forces) == (10, 100)
    assert (paper.batch_size, paper.lr, paper.max_epochs, paper.zbl) == (5, 0.002, 100_000, True)


def test_the_paper_s_network_has_its_layers_and_132_thousand_weights() -> None:
    """The count is that of the network that was trained and measured with this configuration (stack/allegro.md)."""
    model = built("paper")
    shapes = {name.removeprefix("model.func."): tuple(weight.shape) for name, weight in model.named_parameters()}
    assert sum(weight.numel() for weight in model.parameters() if weight.requires_grad) == 132_624
    # Eight Bessel functions; two-body 32 -> 64 -> 128; latent of hidden and out 128; edge energy of hidden 32 to one.
    assert shapes["radial_chemical_embed.type_embed.basis_linear.mlp.0.weight"] == (8, 32)
    assert shapes["scalar_embed_mlp.mlp_module.mlp.0.weight"] == (32, 64)
    assert shapes["scalar_embed_mlp.mlp_module.mlp.2.weight"] == (64, 128)
    assert shapes["allegro.latents.1.mlp.0.weight"][1] == 128
    assert shapes["allegro.latents.1.mlp.2.weight"] == (128, 128)
    assert shapes["edge_readout.mlp_module.mlp.weights.0"][1] == 32
    assert shapes["edge_readout.mlp_module.mlp.weights.1"] == (32, 1)
    # 8 tensor features by path, of which full parity has 11 to l = 2 between the layers and 3 to scalars at the end.
    assert (shapes["allegro.tps.0.weights"], shapes["allegro.tps.1.weights"]) == ((8, 11), (8, 3))
    assert "ZBL" in {type(module).__name__ for module in model.modules()}


def test_balanced_lies_between() -> None:
    counts = [sum(weight.numel() for weight in built(name).parameters()) for name in ("fast", "balanced", "paper")]
    assert counts == sorted(counts)
    assert counts[0] * 2 < counts[1] < counts[2] / 2
