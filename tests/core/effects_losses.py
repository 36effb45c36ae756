"""The tests of the fields of loss terms and objectives; a part of the table of `test_effects.py`."""

from __future__ import annotations

from collections.abc import Mapping

from distill.core.config import Config
from distill.training.fit_objectives.cross_entropy import CrossEntropy
from distill.training.fit_objectives.fit_objective import FitObjective
from distill.training.fit_objectives.one_vs_rest import OneVsRest
from distill.training.fit_objectives.regression import Regression
from distill.training.losses.attention import Attention
from distill.training.losses.attention_relations import AttentionRelations
from distill.training.losses.embedding_cosine import EmbeddingCosine
from distill.training.losses.gold import Gold
from distill.training.losses.hidden_states import HiddenStates
from distill.training.losses.kl import Kl
from distill.training.losses.logits_mse import LogitsMse
from distill.training.losses.r_drop import RDrop
from distill.training.losses.soft_cross_entropy import SoftCrossEntropy
from distill.training.losses.term import OfSource
from distill.training.losses.value_relations import ValueRelations
from distill.training.ramp import PositiveRamp, Ramp


def each(place: str, *fields: str) -> dict[str, str]:
    """The same test for several fields."""
    return dict.fromkeys(fields, place)


BY_SOURCE = "training/losses/test_by_source.py::test_each_row_counts_under_the_settings_of_its_source"
WEIGHED = "training/test_ramp.py::test_the_loss_follows_the_step"
PAIRS = "training/losses/test_terms.py::test_pairs_of_layers"
RELATIONS = "training/losses/test_terms.py::test_relations_equal_a_loop"
STATES = "training/losses/test_terms.py::test_hidden_states_are_the_mean_over_pairs_tokens_and_width"
PATIENT = "training/losses/test_terms.py::test_patient_states_are_directions_of_the_first_token"
VIEW = "students/test_teacher_views.py::test_the_state_is_the_mean_over_the_rows_windows_in_that_view"
RAMPED = "training/test_ramp.py::test_it_moves_from_start_to_end_and_stays"
VALUES = "families/test_objectives.py::test_class_values_and_borders_by_accuracy_change_the_fit"

EFFECTS: Mapping[type[Config], Mapping[str, str]] = {
    **dict.fromkeys((FitObjective, CrossEntropy), {}),
    OneVsRest: each("training/test_aims.py::test_the_probability_of_one_class_is_calibrated_as_a_yes_or_no", "scale"),
    Regression: each(VALUES, "class_values", "borders", "scale"),
    OfSource: each(BY_SOURCE, "weight", "temperature"),
    Gold: {"weight": "training/test_losses.py::test_mixed_batch_equals_the_reference", "sources": BY_SOURCE},
    Ramp: each(RAMPED, "start", "end", "steps", "shape"),
    PositiveRamp: {
        **each(RAMPED, "steps", "shape"),
        **each("training/test_ramp.py::test_a_term_has_its_numbers_at_a_step", "start", "end"),
    },
    RDrop: {
        "sources": BY_SOURCE,
        "weight": "training/losses/test_r_drop.py::test_it_pulls_two_passes_together_and_costs_the_other_terms_nothing",
    },
    Kl: {
        "sources": BY_SOURCE,
        "weight": WEIGHED,
        "temperature": "training/losses/test_terms.py::test_kl_has_the_gradient_of_the_soft_cross_entropy",
    },
    LogitsMse: {
        "sources": BY_SOURCE,
        "weight": WEIGHED,
        "centred": "training/losses/test_terms.py"
        "::test_logits_mse_is_the_mean_over_classes_and_centred_it_is_blind_to_a_shift",
    },
    HiddenStates: {
        **{"sources": BY_SOURCE, "weight": WEIGHED, "layers": STATES, "view": VIEW},
        **each(PATIENT, "tokens", "normalise"),
    },
    EmbeddingCosine: {
        "sources": BY_SOURCE,
        "weight": WEIGHED,
        "layers": PAIRS,
        "view": VIEW,
        "tokens": "training/losses/test_terms.py::test_the_cosine_is_that_of_the_last_states",
    },
    Attention: {"sources": BY_SOURCE, "weight": WEIGHED, "layers": PAIRS},
    ValueRelations: {"sources": BY_SOURCE, "weight": WEIGHED, "layers": PAIRS, "relation_heads": RELATIONS},
    AttentionRelations: {"sources": BY_SOURCE, "weight": WEIGHED, "layers": PAIRS, "relation_heads": RELATIONS},
    SoftCrossEntropy: {
        "sources": BY_SOURCE,
        "weight": "training/test_losses.py::test_mixed_batch_equals_the_reference",
        "temperature": "training/test_losses.py::test_soft_terms_equal_the_reference",
    },
}
