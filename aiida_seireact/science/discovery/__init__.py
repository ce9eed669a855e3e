"""What a group of environments is: composition, order, diffraction, place, and a name with its reason."""
