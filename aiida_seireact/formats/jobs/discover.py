"""How closely ``seireact-classify`` looks at the clusters it has no name for."""

from __future__ import annotations

from pydantic import Field, field_validator

from aiida_seireact.formats.jobs.base import Job


class DiscoverSettings(Job):
    """What is measured of each unknown cluster, and in how many frames."""

    n_frames: int = Field(
        10, ge=1, description="frames looked at: half from the last fifth of the run, half spread over all of it"
    )
    metal: tuple[str, ...] = Field(("Li",), description="labels that are metal, not interphase")
    electrolyte: tuple[str, ...] = Field(("Li6PS5Cl",), description="labels that are electrolyte, not interphase")
    anions: tuple[str, ...] = Field(("S", "P", "Cl"), min_length=1, description="elements that surround a centre")
    cutoff_ang: float | None = Field(
        None, gt=0, description="radius of the first shell; null: the first minimum of the distribution, by element"
    )
    r_max_ang: float = Field(8.0, ge=4, le=20, description="end of the radial distributions")
    wavelength_ang: float = Field(1.54184, gt=0, description="of the diffraction patterns; Cu K-alpha")
    two_theta_deg: tuple[float, float] = Field((15.0, 70.0), description="range of the diffraction patterns")
    bin_width_ang: float = Field(2.0, gt=0, description="slabs of the distribution along z")
    fewest: int = Field(20, ge=5, description="a group with fewer environments in the frames looked at is only counted")
    most_centres: int = Field(2000, ge=50, description="centres of a group whose distances are measured in a frame")
    n_examples: int = Field(3, ge=0, description="environments of each group kept to look at")
    example_radius_ang: float = Field(5.0, gt=0, description="atoms around the centre of an example")
    n_permutations: int = Field(
        999, ge=99, description="random arrangements the all-sulfur environments are held against"
    )
    seed: int = Field(0, ge=0, description="of all draws")

    @field_validator("two_theta_deg")
    @classmethod
    def _a_range(cls, value: tuple[float, float]) -> tuple[float, float]:
        if not 0 < value[0] < value[1] < 180:
            raise ValueError(f"two_theta_deg ascends between 0 and 180 degrees, not {list(value)}")
        return value
