"""Settings: what can't be is refused, and unlike ones have unlike hashes."""

from __future__ import annotations

import json

import pytest

from aiida_seireact.science.descriptors import DescriptorError, DescriptorSpec
from aiida_seireact.science.descriptors.versions import check_version


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"species": ("Li", "Li")}, "different element symbols"),
        ({"species": ("Li", "Xy")}, "different element symbols"),
        ({"centre": "Na"}, "centre Na is not among"),
        ({"l_max": 4}, "l_max from 0 to 3"),
        ({"n_max": 0}, "n_max ≥ 1"),
        ({"cutoff_ang": float("nan")}, "cutoff_ang > 0"),
        ({"source": "magic"}, "one of ace, soap, pyace, not 'magic'"),
        ({"radial": "gto"}, "of ace are chebyshev or bessel, not gto"),
        ({"cutoffs_ang": (5.0, 5.0)}, "one cutoff for each of Li, P, S, Cl"),
        ({"cutoffs_ang": (5.0, 5.0, 7.0, 5.0)}, "at most cutoff_ang"),
        ({"b3_n_max": 5}, "b3_n_max from 0 to 4"),
        ({"b3_l_max": 1}, "give both"),
        ({"source": "soap", "b1": True}, "of the source ace, not of soap"),
        ({"sigma_ang": 0.3}, "of the source soap"),
        ({"source": "soap", "sigma_ang": 0.0}, "above 0"),
        ({"source_version": "1"}, "ace is built in"),
    ],
)
def test_impossible_settings_are_refused(wrong: dict, sentence: str) -> None:
    with pytest.raises(DescriptorError, match=sentence):
        DescriptorSpec(**wrong)


def test_every_setting_is_in_the_hash() -> None:
    specs = [
        DescriptorSpec(),
        DescriptorSpec(n_max=9),
        DescriptorSpec(radial="bessel"),
        DescriptorSpec(cutoffs_ang=(6.0, 6.0, 6.0, 5.0)),
        DescriptorSpec(b1=True),
        DescriptorSpec(b3_n_max=1),
        DescriptorSpec(b3_n_max=1, b3_l_max=1),
        DescriptorSpec(source="soap"),
        DescriptorSpec(source="soap", radial="polynomial"),
        DescriptorSpec(source="soap", sigma_ang=0.3),
        DescriptorSpec(source="soap", source_version="0.1"),
        DescriptorSpec(source="pyace"),
        DescriptorSpec(source="pyace", source_version="0.4.0rc1"),
    ]
    assert len({spec.content_hash for spec in specs}) == len(specs)


def test_settings_from_before_there_were_sources_still_mean_the_same() -> None:
    saved = '{"centre": "Li", "cutoff_ang": 6.0, "l_max": 3, "n_max": 4, "species": ["Li", "P", "S", "Cl"]}'
    spec = DescriptorSpec(**json.loads(saved))
    assert spec == DescriptorSpec()
    assert json.dumps(spec.to_dict(), sort_keys=True) == saved
    assert spec.content_hash == "75a27033cfa45aab61a740ddbdaa80e2771701e06cbf8f37f08028619680d938"


@pytest.mark.parametrize(
    "settings",
    [
        {"radial": "bessel", "cutoffs_ang": (5.0, 6.0, 6.0, 5.0), "b1": True, "b3_n_max": 2, "b3_l_max": 1},
        {"source": "soap", "sigma_ang": 0.3},
        {"source": "pyace", "source_version": "0.4.0rc1", "n_max": 9},
    ],
)
def test_settings_come_back_from_json(settings: dict) -> None:
    spec = DescriptorSpec(**settings)
    again = DescriptorSpec(**json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert again.content_hash == spec.content_hash


def test_a_saved_spec_keeps_its_version_where_another_is_installed() -> None:
    old = DescriptorSpec(source="soap", source_version="1.2.3")
    assert DescriptorSpec(**old.to_dict()).content_hash == old.content_hash
    with pytest.raises(DescriptorError, match=r"of dscribe 1\.2\.3, here is .* Install dscribe==1\.2\.3"):
        check_version(old)


def test_the_paper_s_length() -> None:
    assert DescriptorSpec(n_max=9).n_features == 2664
    assert DescriptorSpec(b1=True).n_features == 560
    assert DescriptorSpec(source="pyace", n_max=9).n_features == 2700
