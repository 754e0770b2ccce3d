"""The demonstration: the shop's processes, and a check that plays all its people."""
