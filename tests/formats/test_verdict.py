from __future__ import annotations

import pytest

from aiida_seireact.formats.verdict import VerdictError, read_verdict

GOOD = {"schema": "seireact-verdict/1", "model_hash": "a" * 64, "decision": "accepted", "lines": ["3 meV/atom"]}


def test_a_verdict_is_on_one_model():
    assert read_verdict(GOOD, "a" * 64).decision == "accepted"
    with pytest.raises(VerdictError, match="on model aaaaaaaaaaaa, the run is of model bbbbbbbbbbbb"):
        read_verdict(GOOD, "b" * 64)


@pytest.mark.parametrize("change", [{"decision": "perhaps"}, {"schema": "other/1"}, {"line": []}])
def test_what_is_no_verdict_is_named(change):
    with pytest.raises(VerdictError, match=next(iter(change))):
        read_verdict({**GOOD, **change}, "a" * 64)
