"""Mean squared displacement and the drift of the whole cell: of `science.transport`, by their name here."""

from aiida_seireact.science.transport.displacements import centre_of_mass_path, mean_squared_displacement

__all__ = ["centre_of_mass_path", "mean_squared_displacement"]
