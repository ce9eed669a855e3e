"""The node types: frames, dataset, potential, trajectory, phases. Below this floor nobody imports aiida."""
