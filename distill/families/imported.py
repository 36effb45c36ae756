"""Labels made elsewhere: a teacher of which only the logits are known, so there is nothing to fit and no model."""

from __future__ import annotations

from distill.families.family import Family


class Imported(Family):
    """`labels: FILE` in a teacher's entry, or `distill label --import FILE`."""

    name = "imported"
    key = "labels"
    learns = False
