"""What two workers ended at once is told apart from what runs, and gets its end."""

from __future__ import annotations

import pytest
from aiida import orm
from plumpy.process_states import ProcessState

from aiida_seireact.cli.doubled import doubled_processes
from aiida_seireact.cli.mending import clear_up
from aiida_seireact.cli.watchdog import signs_of_trouble

from .conftest import workchain


@pytest.mark.parametrize(
    ("write", "state"),
    [
        (lambda node: node.set_exit_status(0), ProcessState.FINISHED),
        (lambda node: node.set_exit_status(410), ProcessState.FINISHED),
        (lambda node: node.set_exception("ValueError"), ProcessState.EXCEPTED),
        (lambda node: None, ProcessState.KILLED),
    ],
)
def test_it_gets_the_state_that_its_end_had(aiida_profile_clean, write, state):
    node = workchain("BuildWorkChain")
    write(node)
    assert doubled_processes() == []
    node.set_process_state(ProcessState.RUNNING)
    node.seal()

    assert doubled_processes() == [node]
    assert any(f"<{node.pk}> has ended, in two workers at once" in sign for sign in signs_of_trouble())
    said = []
    clear_up(said.append, daemon_stopped=True)
    assert said == [f"BuildWorkChain <{node.pk}> had ended in two workers at once: {state.value}."]
    again = orm.load_node(node.pk)
    assert again.is_terminated
    assert again.process_state is state
    assert doubled_processes() == []


def test_what_runs_or_has_ended_is_let_alone(aiida_profile_clean):
    running, ended = workchain("BuildWorkChain"), workchain("BuildWorkChain")
    ended.set_process_state(ProcessState.FINISHED)
    ended.seal()
    assert doubled_processes() == []
    assert not running.is_terminated
