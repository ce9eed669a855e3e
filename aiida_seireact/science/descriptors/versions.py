"""That a source is of the version its descriptors are to be made by."""

from __future__ import annotations

from aiida_seireact.science.descriptors.spec import PACKAGES, DescriptorError, DescriptorSpec, installed_version


def check_version(spec: DescriptorSpec) -> None:
    """Do nothing where the package of the spec's source is that of the spec.

    :raises DescriptorError: it is another.
    """
    here = installed_version(spec.source)
    if here != spec.source_version:
        package = PACKAGES[spec.source]
        raise DescriptorError(
            f"These descriptors are of {package} {spec.source_version}, here is {here}: other versions may give other "
            f"numbers. Install {package}=={spec.source_version}, or make references and labels anew without "
            "source_version."
        )
