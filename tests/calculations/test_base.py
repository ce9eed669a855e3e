from __future__ import annotations

from aiida import orm

from aiida_seireact.calculations.base import validate_program


def test_a_missing_program_is_named_before_anything_is_queued(aiida_localhost):
    code = orm.InstalledCode(computer=aiida_localhost, filepath_executable="/nowhere/seireact-label", label="gone")
    message = validate_program(code, None)
    assert "/nowhere/seireact-label" in message
    assert "pip install aiida-seireact[all]" in message


def test_a_program_that_is_there_passes(aiida_localhost):
    code = orm.InstalledCode(computer=aiida_localhost, filepath_executable="/bin/true", label="there")
    assert validate_program(code, None) is None
