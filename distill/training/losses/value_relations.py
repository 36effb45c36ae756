"""How tokens relate by their values, the student's against the teacher's."""

from __future__ import annotations

from distill.training.losses.relation_term import RelationTerm


class ValueRelations(RelationTerm):
    """Relations of values with values alone.

    Source: Wang et al. 2020, MiniLM, arXiv:2002.10957, equations 8 to 10; with relation heads as in MiniLMv2.
    """

    @property
    def kinds(self) -> tuple[str, ...]:
        """Values alone."""
        return ("values",)
