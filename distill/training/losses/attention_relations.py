"""How tokens relate by queries, keys and values, the student's against the teacher's."""

from __future__ import annotations

from distill.training.losses.relation_term import RelationTerm


class AttentionRelations(RelationTerm):
    """Relations of queries with queries, keys with keys, and values with values, which count alike.

    Source: Wang et al. 2021, MiniLMv2, arXiv:2012.15828, section 3.1.
    """

    @property
    def kinds(self) -> tuple[str, ...]:
        """All three."""
        return ("queries", "keys", "values")
