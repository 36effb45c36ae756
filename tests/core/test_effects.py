"""Every field of every config model has a test that shows what it changes; the table names it."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest

from distill.core import grid, project
from distill.core.class_floor import ClassFloor
from distill.core.config import Config
from distill.core.fall_through import FallThrough
from distill.core.intake import config as intake
from distill.core.publishing import BundleConfig, ReportConfig
from distill.core.selection.config import Select
from distill.core.swap import Swap, ViewSwap
from distill.inference.language_model.config import Asking, Example, LanguageModelSettings, Spend
from distill.models.config import FreshEncoder, HeadConfig, VocabularyConfig
from distill.training.config import AlterConfig, LoraConfig, TrainingConfig
from distill.training.learning import LearningConfig
from students.config import StudentConfig, StudentEntry, TrainedEntry
from teachers.config import TeacherConfig, TeacherEntry
from teachers.phases import PhaseConfig
from teachers.pretraining.config import EmbeddingTeacherConfig, PretrainConfig, PretrainTraining, TextSource
from tests.core import effects_bench, effects_junk, effects_labelling, effects_losses, effects_targets
from tests.core.effects_losses import each
from tests.core.test_project import REJECTED

TESTS = Path(__file__).resolve().parents[1]


JUNK = "core/intake/test_prepare.py::test_every_junk_rule_drops_under_its_own_reason"
COLUMNS = "core/intake/test_prepare.py::test_the_columns_that_are_named_are_read"
DATA = "core/intake/test_prepare.py::test_clean_data_comes_through_whole"
FIDELITY = "evaluation/test_fidelity.py::test_scaled_logits_change_no_label_and_no_class"
EXPORTED = "report/test_gates.py::test_an_export_is_judged_by_its_criterion"
REDONE = "pipeline/test_redone.py::test_a_change_redoes_what_reads_it_and_nothing_else"
CONTROLS = (
    "cli/test_family_runs.py::test_without_controls_there_is_nothing_measured_against_them_and_the_verdict_says_so"
)
SENT_ON, PRICED = "evaluation/test_fall_through.py", "evaluation/test_sending_costs.py"
SETTINGS = "evaluation/test_evaluate.py::test_the_settings_of_quality_reach_the_figures"
SHAPE = "models/test_fresh.py::test_the_shape_is_the_one_that_is_asked_for"
TEXTS = "teachers/pretraining/test_collect.py::test_texts_of_other_files_are_filtered"
PRETRAINED = "teachers/pretraining/test_pretrain.py::test_an_option_changes_the_weights"
TERMS = "teachers/pretraining/test_pretrain.py::test_a_weight_of_the_embedding_teachers_terms_changes_the_weights"
PRESETS = "core/test_presets.py::test_an_entry_takes_the_preset_of_its_name_or_the_one_it_names"
FAMILIES = "pipeline/test_model_settings.py::test_each_entry_is_of_the_class_of_its_family"
VIEWS = "families/test_tfidf.py::test_it_reads_through_its_own_view_or_another"
WEIGHTS = "training/test_options.py::test_an_option_changes_the_weights"
LENGTHS = "training/test_options.py::test_an_option_changes_a_run_that_ends_by_itself"
STABLE = "core/intake/test_pools.py::test_a_pool_never_reads_labels_and_keeps_a_stable_sample"
CHOSEN = "core/selection/test_choose.py"
MADE = "core/intake/test_made_pairs.py"
NEAR = "core/intake/near/test_near_pool.py"
WINDOWS = "core/test_rendering.py::test_windows_overlap_as_promised_and_unread_tokens_are_counted"
SIDES = "core/test_rendering.py::test_fields_stand_in_order_and_empty_ones_leave_no_separator"
TWO_VIEWS = (
    "pipeline/test_plan.py::test_a_card_teacher_is_trained_where_its_view_is_another_one_and_copied_where_it_is_not"
)
EXPORTS = "pipeline/test_plan_targets.py::test_teachers_leave_as_every_target_judged_by_parity_and_students_as_all"
MATCHING = "models/test_mimetic_init.py::test_matching_heads_attend_to_equal_tokens_and_the_others_spread"
SHORTENED = "families/test_token_schedule.py::test_a_student_is_trained_saved_opened_and_exported_with_it"
FLOORS = "report/test_class_floor.py::test_each_figure_is_judged_by_its_lower_bound"
LORA = "families/test_lora.py"
HANDED_OFF = "cli/test_handed_off.py::test_the_project_says_licences_and_asks_for_real_texts"
WITHHELD = "cli/test_withheld_texts.py::test_no_text_of_a_row_leaves_the_records"
SWAP, BOTH = "core/test_swap.py", "inference/test_both_orders.py"
RARE = "core/intake/test_rare_classes.py"
GRID = "pipeline/studies/test_sweep.py::test_a_grid_of_rows_with_names_of_its_own"
BY_SOURCE = "training/losses/test_by_source.py::test_each_row_counts_under_the_settings_of_its_source"
DISTILLED = "pipeline/test_distilled_teachers.py::"

PHASES = "pipeline/test_phases.py::test_each_phase_is_fitted_on_its_rows_at_its_rates_and_stands_in_the_report"
CUT = "pipeline/test_phases.py::test_a_truncated_model_is_cut_before_its_fit_or_between_two"
RULES = (
    "pipeline/test_phases.py"
    "::test_a_weight_is_how_often_rows_are_read_and_models_of_several_mixtures_stand_in_one_table"
)

TEACHER = {
    "rows": RULES,
    "kfold": "pipeline/test_kfold.py::test_its_quality_stands_in_the_report_with_intervals_next_to_that_on_test_rows",
    "preset": PRESETS,
    "family": FAMILIES,
    "view": VIEWS,
    "weight": "cli/test_choice_runs.py::test_an_ensemble_is_a_candidate_with_its_weights",
    "slices": "teachers/test_teach.py::test_only_rows_of_the_wanted_slices_are_learnt_from",
    "learns_from": "families/test_objectives.py::test_a_teacher_learns_the_labels_of_another_and_no_gold",
    "allow_missing": DISTILLED + "test_labels_made_elsewhere_are_learnt_as_any",
    "labelling": effects_labelling.SHARDS,
    "export": "pipeline/test_plan_targets.py::test_a_teacher_may_stay_as_it_was_trained",
    "cross_fit": "teachers/test_cross_fit.py::test_each_row_is_labelled_by_the_model_that_was_fitted_without_it",
}
LEARNING = {
    "losses": "students/test_losses.py::test_a_feature_term_is_added_to_the_others",
    **each("students/test_losses.py::test_the_short_form_means_the_same_terms", "temperature", "alpha"),
}
STUDENT = {
    "preset": PRESETS,
    "family": FAMILIES,
    "view": VIEWS,
    "rows": "pipeline/test_sequences.py::test_the_rows_that_a_student_learns_are_those_that_it_names",
    "allow_missing": "training/test_missing_labels.py::test_rows_without_labels_are_counted_and_named",
    "learns_from": "pipeline/test_assistants.py::test_teacher_and_assistant_may_both_be_learnt_from_in_equal_parts",
}
TRAINED = {
    **STUDENT,
    "init": "families/test_encoder.py::test_pretrained_source_brings_its_layers_and_a_fresh_head",
    "source": "pipeline/test_plan.py::test_a_student_with_a_source_of_its_own_keeps_it",
    "start": "pipeline/test_starts.py::test_a_start_of_its_own_is_the_students_and_its_twins",
    "fresh": "pipeline/test_starts.py::test_random_weights_of_its_own_have_their_shape_and_vocabulary",
    "vocabulary": "pipeline/test_starts.py::test_a_students_vocabulary_is_trimmed_once_for_it_and_its_twins",
    **LEARNING,
    "training": "core/test_presets.py::test_a_part_of_the_training_leaves_the_student_its_other_defaults",
}
TRAINING = {
    **each(WEIGHTS, "epochs", "max_steps", "batch_size", "accumulate", "optimiser", "learning_rate", "head_rate"),
    **each(WEIGHTS, "layer_decay", "warmup", "schedule", "weight_decay", "max_grad_norm", "dropout", "head_dropout"),
    **each(WEIGHTS, "alter", "precision", "final_learning_rate"),
    "early_stopping": "training/test_lengths.py::test_a_fixed_length_may_stop_early_and_a_cut_off_one_ends_the_same",
    "objective": "families/test_objectives.py::test_a_regression_is_a_plain_classifier_that_decides_by_its_borders",
    "label_smoothing": "training/test_aims.py::test_label_smoothing_spreads_gold_over_the_classes",
    "class_weights": "training/test_aims.py::test_a_row_with_gold_weighs_what_its_class_does",
    "oversample": "training/test_aims.py::test_oversampling_repeats_gold_rows_of_rarer_classes_and_nothing_else",
    **each(LENGTHS, "patience", "evaluate_steps", "average", "ema", "ceiling_steps"),
    "ceiling_minutes": "training/test_lengths.py::test_minutes_end_a_run_too",
    "checkpoint": "training/test_fit.py::test_best_checkpoint_is_kept",
    "embeddings": "training/test_options.py::test_frozen_embeddings_stay_and_the_rest_learns",
    "cheap_dropout": "training/test_dropout.py::test_a_fit_draws_other_numbers_and_goes_on_where_it_was_cut_off",
    "lora": "training/test_adapters.py::test_only_what_has_an_adapter_and_the_head_have_changed",
    "gradient_checkpointing": "training/test_adapters.py::test_layers_computed_again_learn_the_same",
    "last_layer": "training/test_options.py::test_a_last_layer_for_the_first_token_learns_the_same",
    "keep_evaluated": "pipeline/studies/test_checkpoints.py::test_kept_checkpoints_are_asked_once_and_ranked",
    "may_collapse": "training/test_fit.py::test_a_baseline_may_be_a_constant_predictor",
    "save_steps": "training/test_fit.py::test_figures_of_an_epoch_survive_a_kill_right_after_it",
}
ASKED = "inference/language_model/test_language_model.py"
ASKING = {
    "key_from": f"{ASKED}::test_the_key_is_sent_and_never_told",
    "parallel": f"{ASKED}::test_so_many_requests_are_made_at_a_time",
    "timeout_s": f"{ASKED}::test_a_slow_answer_is_not_waited_for",
    **each(f"{ASKED}::test_tries_and_the_waits_between_them_are_as_asked", "tries", "back_off_s"),
    "max_failed": f"{ASKED}::test_a_record_without_an_answer_has_failed_and_too_many_stop_the_run",
    "spend": f"{ASKED}::test_a_request_that_could_exceed_the_limit_is_not_made",
}

EFFECTS: Mapping[type[Config], Mapping[str, str]] = {
    **effects_labelling.EFFECTS,
    **effects_bench.EFFECTS,
    **effects_losses.EFFECTS,
    **effects_targets.EFFECTS,
    **effects_junk.EFFECTS,
    project.Task: {
        "labels": "core/test_label_space.py::test_gold_becomes_a_vector",
        "rare": f"{RARE}::test_a_task_without_rare_classes_stays_as_it_is",
        "swap": f"{SWAP}::test_every_view_knows_the_swap_and_the_order_of_the_classes",
        "ordered": "evaluation/test_quality.py::test_only_labels_on_a_scale_have_grades",
        "positive": "evaluation/test_evaluate.py::test_without_a_positive_class_there_are_no_thresholds",
        "kind": "training/test_third_objective.py::test_it_is_found_by_its_name_in_the_project",
    },
    intake.Split: {
        "mode": "core/intake/test_prepare.py::test_splits_by_keys_share_no_key_and_count_what_crosses",
        "valid": "core/intake/test_prepare.py::test_without_validation_files_a_share_of_keys_is_held_out",
        "test": "core/intake/test_splits.py::test_shares_come_out_near_what_is_asked_for",
        "keys": "core/intake/test_splits.py::test_only_the_keys_that_are_named_keep_to_one_part",
    },
    grid.Grid: {
        **each(GRID, "columns", "rows", "over", "sets"),
        "model": "pipeline/studies/test_sweep.py::test_the_shipped_grids_hold_with_an_encoder",
    },
    intake.Junk: {
        **each(JUNK, "min_chars", "max_chars", "required", "repeated", "patterns"),
        "rules": f"{effects_junk.RULES}::test_the_first_rule_is_the_reason_and_every_rule_is_counted",
    },
    intake.Near: {
        **each(f"{NEAR}::test_threshold_and_shingle_decide", "jaccard", "words"),
        "on_pool": f"{NEAR}::test_they_may_be_counted_alone",
        "on_leak": "core/intake/near/test_near_leaks.py::test_near_cards_are_told_with_count_share_and_examples",
    },
    intake.MadePairs: {
        "of": f"{MADE}::test_new_products_and_new_pages_come_in_files_of_one_side",
        **each(f"{MADE}::test_every_kind_of_pair_is_made_so_often_for_each_left_side", "exact", "neighbours", "random"),
        "hard": f"{MADE}::test_a_hard_pair_is_near_and_of_another_key_and_title",
        "seed": f"{MADE}::test_what_is_made_depends_on_rows_and_seed_alone",
    },
    intake.PoolSource: {
        "pairs": f"{MADE}::test_every_kind_of_pair_is_made_so_often_for_each_left_side",
        **each(STABLE, "files", "rows"),
        "pairing": "core/intake/test_pools.py::test_pairing_joins_similar_sides_of_different_rows",
    },
    intake.Data: {
        "root": "core/intake/test_sources.py::test_the_root_starts_from_the_base",
        **each(COLUMNS, "id", "label", "slice", "keys"),
        **each(DATA, "train", "valid", "test", "pool"),
        "extra": "pipeline/test_phases.py::test_rows_that_are_judged_never_train_and_each_dropped_one_is_counted",
        "pool_exclude": "core/intake/test_pools.py::test_pool_exclude_side_drops_either_side_on_either_side",
        "split": "core/intake/test_prepare.py::test_without_validation_files_a_share_of_keys_is_held_out",
        "junk": JUNK,
        "near": f"{NEAR}::test_without_near_nothing_is_looked_for_and_no_config_changes",
        "against": "core/intake/test_against.py::test_every_row_of_both_versions_is_accounted_for",
        "contained": "core/intake/test_source_overlaps.py::test_a_source_that_an_earlier_one_holds_is_a_warning",
        "encoding": "core/intake/test_sources.py::test_a_file_in_another_encoding_is_named_with_the_fix",
        "quotes": "core/intake/test_sources.py::test_a_tsv_has_quotes_only_where_they_are_declared",
        "on_bad_row": "core/intake/test_prepare.py::test_fail_stops_at_the_first_bad_row",
        "on_leak": "core/intake/test_prepare.py::test_what_a_test_has_too_is_dropped_from_training_where_asked",
        "on_card_leak": "core/intake/test_shared_cards.py::test_they_stay_and_count_for_the_gate_or_stay_and_are_told",
        "on_valid_key": "core/intake/test_shared_cards.py"
        "::test_training_rows_that_share_a_key_with_validation_are_dropped_where_asked",
    },
    Swap: {
        **each(f"{SWAP}::test_every_view_knows_the_swap_and_the_order_of_the_classes", "fields", "labels"),
        "average": f"{BOTH}::test_it_can_be_left_off",
    },
    ViewSwap: {
        **each(f"{BOTH}::test_logits_are_the_mean_of_both_orders_put_back", "fields", "order"),
        "average": f"{BOTH}::test_it_can_be_left_off",
    },
    project.Windows: {
        **each(WINDOWS, "stride", "max"),
        "pool": "inference/test_scorer.py::test_windows_are_pooled_by_the_views_rule",
    },
    project.ViewConfig: {
        **each("core/test_rendering.py::test_uncut_ids_are_those_of_the_tokenizer", "right"),
        **each(SIDES, "left", "separator"),
        "max_tokens": "core/test_rendering.py::test_the_longer_side_is_cut_first_and_the_shorter_never_below_half",
        "budgets": "core/test_rendering.py::test_a_budget_is_never_exceeded_and_every_lost_token_is_counted",
        "prefixes": f"{SWAP}::test_a_prefix_stands_before_a_text_and_outside_of_its_budget",
        "swap": f"{SWAP}::test_the_exchanged_view_reads_a_record_as_the_view_reads_the_exchanged_record",
        "windows": WINDOWS,
    },
    ClassFloor: each(FLOORS, "f1", "precision", "recall"),
    project.Gates: {
        "leak": "report/test_gates.py::test_leaked_rows",
        **each(EXPORTED, "parity_fp32", "int8_flips"),
        **each(FIDELITY, "int8_shift_max", "int8_shift_mean", "int8_points"),
        "int8_class_loss": "evaluation/test_fidelity.py::test_a_class_that_loses_over_a_point_is_named",
        **each(
            "evaluation/test_changes_gates.py::test_the_project_may_say_otherwise_than_the_target",
            "decisions",
            "class_f1",
        ),
        "retention_card": "report/test_gates.py::test_retention_is_judged_by_its_lower_bound",
        "over_gold": "report/test_gates.py::test_a_student_is_judged_by_the_lower_bound_of_its_difference_to_the_twin",
        "class_floor": FLOORS,
        "teacher_over_priors": "report/test_gates.py::test_the_labels_taken_must_beat_the_priors_by_the_lower_bound",
        "validation_rows": "report/test_gates.py::test_validation_rows",
    },
    project.Controls: {
        **each(CONTROLS, "card_teacher", "gold_twins", "random", "tfidf"),
        "bag_of_tokens": "pipeline/test_plan.py::test_a_control_that_starts_from_an_encoder_takes_the_untouched_one",
    },
    project.Rare: {
        "under": f"{RARE}::test_with_labels_auto_and_a_class_that_is_there_already",
        "into": f"{RARE}::test_rare_classes_are_left_out_with_their_rows_and_the_ledger_says_so",
        "classes": f"{RARE}::test_votes_and_lists_of_labels",
    },
    project.Quality: {
        "metric": "evaluation/test_baselines.py::test_the_metric_of_the_project_decides",
        "remeasure": "pipeline/test_remeasure.py::test_a_row_for_each_view_and_every_other_figure_as_before",
        "test": "pipeline/test_validation_choices.py::test_both_intervals_are_there_and_the_joined_one_is_narrower",
        "calibrate": "evaluation/test_class_thresholds.py::test_without_calibration_nothing_is_chosen",
        "baseline": "evaluation/test_beside_baseline.py::test_a_baseline_adds_its_differences_and_changes_nothing_else",
        **each(SETTINGS, "precision_at_least", "recall_at_least", "replicates"),
    },
    FallThrough: {
        "shares": f"{SENT_ON}::test_bands_are_those_of_one_half_of_validation",
        "by": f"{SENT_ON}::test_another_sureness_gives_other_bands",
        **each(f"{PRICED}::test_the_chosen_share_is_the_best_within_what_is_allowed", "most", "latency_ms"),
        "money_per_1000": f"{PRICED}::test_costs_by_hand",
    },
    BundleConfig: each(HANDED_OFF, "license", "data_licenses", "golden"),
    ReportConfig: {
        **each(WITHHELD, "texts"),
        "price_per_hour": "report/test_assemble.py::test_a_price_is_in_the_report_where_one_is_given",
        "trackers": "report/test_tracking.py::test_a_run_gives_its_figures_to_the_trackers_that_are_named",
    },
    project.Project: {
        **each(HANDED_OFF, "bundle"),
        **each(WITHHELD, "report"),
        "task": "core/test_label_space.py::test_gold_becomes_a_vector",
        "data": DATA,
        "views": TWO_VIEWS,
        "teachers": "pipeline/test_settings.py::test_order_is_preset_then_file_then_set",
        "labels": "teachers/test_choice.py::test_what_the_config_fixes_is_taken_whatever_the_figures",
        "select": "cli/test_select.py::test_a_run_learns_the_selected_rows_and_its_page_shows_them",
        "labelling": effects_labelling.ON_RAY,
        "pretrain": "cli/test_pretrain.py::test_a_second_start_does_nothing_and_another_setting_redoes_what_it_touches",
        "students": "cli/test_teachers_alone.py::test_the_teachers_are_measured_and_compared_and_nothing_is_distilled",
        "export": EXPORTS,
        "gates": "report/test_gates.py::test_a_gate_set_to_null_is_off",
        "controls": CONTROLS,
        "quality": SETTINGS,
        "fall_through": f"{SENT_ON}::test_bands_are_those_of_one_half_of_validation",
        **each(REDONE, "bench", "threads"),
        "provider": "pipeline/test_providers.py::test_a_provider_that_was_asked_for_measures_anew",
        "budget": f"{effects_bench.BUDGET}::test_what_is_beyond_the_bound_spares_what_does_more",
        "sweep": GRID,
        "seed": "core/intake/test_splits.py::test_the_seed_decides_and_more_rows_move_none",
        **each("pipeline/test_seeds.py::test_seeds_move_the_weights_and_leave_the_rows", "training_seed", "seeds"),
    },
    Select: {
        "rows": f"{CHOSEN}::test_classes_come_out_equal_and_a_short_one_leaves_its_share_to_the_others",
        "entropy": f"{CHOSEN}::test_bands_keep_their_lower_end_and_only_the_last_its_upper_one",
        "balance": f"{CHOSEN}::test_combinations_of_class_slice_and_band_come_out_equal",
        "per_key": f"{CHOSEN}::test_no_key_has_more_rows_than_the_cap",
        "seed": f"{CHOSEN}::test_more_rows_than_there_are_take_all_and_the_seed_decides_which",
    },
    Spend: {
        "limit": f"{ASKED}::test_a_request_that_could_exceed_the_limit_is_not_made",
        **each(f"{ASKED}::test_what_texts_would_take_is_told_without_asking", "per_million_input"),
        "per_million_output": f"{ASKED}::test_what_texts_would_take_is_told_without_asking",
    },
    Example: each("families/test_http_llm.py::test_examples_of_ones_own_are_shown", "record", "label"),
    Asking: ASKING,
    LanguageModelSettings: {
        **ASKING,
        **each(f"{ASKED}::test_a_request_is_what_the_settings_say", "url", "model", "system", "prompt", "max_tokens"),
        "parameters": f"{ASKED}::test_a_request_is_what_the_settings_say",
        "example": f"{ASKED}::test_examples_are_shown_and_a_record_never_sees_its_own_answer",
        **each(
            "families/test_http_llm.py::test_examples_are_drawn_from_training_rows_of_all_classes", "examples", "seed"
        ),
        "answer": f"{ASKED}::test_letters_stand_for_labels_whose_words_begin_alike",
        "words": f"{ASKED}::test_labels_and_words",
        **each(f"{ASKED}::test_without_probabilities_a_label_has_the_declared_confidence_and_is_counted", "confidence"),
        "top_logprobs": f"{ASKED}::test_a_request_is_what_the_settings_say",
    },
    FreshEncoder: {
        **each(SHAPE, "layers", "width", "heads", "vocabulary"),
        "matching_heads": MATCHING,
    },
    TextSource: {
        "root": "teachers/pretraining/test_collect.py::test_files_are_named_from_their_root",
        **each(TEXTS, "files", "left", "right", "category", "where", "unlike", "terms"),
        "rows": "teachers/pretraining/test_collect.py::test_a_sample_is_seeded_and_keeps_the_order",
    },
    EmbeddingTeacherConfig: {
        "encoder": "teachers/pretraining/test_pretrain.py::test_an_embedding_teacher_adds_its_terms",
        **each(TERMS, "hidden", "relation"),
        "max_tokens": "teachers/pretraining/test_batches.py"
        "::test_sides_for_an_embedding_teacher_are_left_then_right_and_absent_ones_are_marked",
    },
    PretrainConfig: {
        "checkpoint": "cli/test_pretrain.py::test_it_goes_on_from_a_checkpoint",
        "fresh": "cli/test_pretrain.py::test_it_leaves_an_encoder_with_a_card_and_says_how_to_use_it",
        "view": "teachers/pretraining/test_collect.py::test_the_view_decides_which_texts_are_read",
        **each(
            "teachers/pretraining/test_collect.py::test_own_records_are_train_and_pool_never_test", "own", "category"
        ),
        "texts": TEXTS,
        **each(PRETRAINED, "masked", "swapped", "mlm", "pair_matching", "token_overlap", "held_out", "training"),
        "embedding_teacher": "teachers/pretraining/test_pretrain.py::test_an_embedding_teacher_adds_its_terms",
        "evaluate_steps": "teachers/pretraining/test_pretrain.py::test_a_run_leaves_a_model_folder_and_a_curve",
        "half": "teachers/pretraining/test_pretrain.py::test_half_decides_the_bytes_of_the_weights",
    },
    HeadConfig: {
        **each(f"{LORA}::test_its_folder_is_a_plain_model_with_the_adapters_beside", "layers", "hidden"),
        "dropout": f"{LORA}::test_a_head_is_kept_where_it_has_the_size_and_fresh_where_it_has_not",
    },
    LoraConfig: {
        **each("training/test_adapters.py::test_an_option_of_the_adapters_changes_the_weights", "r", "alpha"),
        **each("training/test_adapters.py::test_an_option_of_the_adapters_changes_the_weights", "dropout", "modules"),
        "four_bit": f"{LORA}::test_without_cuda_it_learns_without_four_bits_and_says_so",
    },
    VocabularyConfig: {
        "keep": "models/vocabulary/test_trim.py::test_logits_are_those_of_the_whole_encoder",
        "min_count": "models/vocabulary/test_trim.py::test_rare_tokens_go_too_where_asked",
    },
    PhaseConfig: {
        **each(PHASES, "rows", "epochs", "learning_rate", "final_learning_rate", "batch_size"),
        **each(CUT, "layers", "keep"),
    },
    TeacherEntry: TEACHER,
    LearningConfig: LEARNING,
    TeacherConfig: {
        **TEACHER,
        **each(CUT, "layers", "keep"),
        "phases": PHASES,
        **LEARNING,
        "checkpoint": "teachers/test_starting_encoder.py::test_checkpoint_is_copied",
        "finished": "families/test_finished.py::test_finished_teacher_is_taken_over_as_it_is",
        "starts_from": "pipeline/test_sequences.py"
        "::test_a_document_teacher_starts_from_the_card_teacher_which_starts_from_the_checkpoint",
        "pretrain": "pipeline/test_sequences.py"
        "::test_the_adapted_encoder_is_another_one_with_texts_of_training_and_pool_alone",
        "copies": "pipeline/test_copies.py::test_each_copy_is_a_teacher_with_a_seed_of_its_own",
        "labels": "families/test_imported.py::test_the_file_stands_in_for_the_first_teacher_that_labels",
        "fresh": "teachers/test_starting_encoder.py::test_fresh_encoder_is_made_from_the_records",
        "vocabulary": "pipeline/test_starts.py::test_a_teachers_vocabulary_is_trimmed_before_it_is_fine_tuned",
        "head": f"{LORA}::test_its_folder_is_a_plain_model_with_the_adapters_beside",
        "training": "core/test_presets.py::test_what_the_teacher_preset_comes_to",
    },
    StudentEntry: STUDENT,
    TrainedEntry: TRAINED,
    StudentConfig: {
        **TRAINED,
        "layers": "families/test_encoder.py::test_saved_student_loads_as_a_model_of_its_depth",
        "keep": "families/test_encoder.py::test_truncated_source_keeps_its_first_layers",
        "token_schedule": SHORTENED,
        "head": f"{LORA}::test_a_student_starts_from_it_with_a_head_of_its_own_and_leaves_as_onnx",
    },
    AlterConfig: {
        "field_dropout": "training/test_altered_rows.py::test_whole_fields_are_left_out_with_their_separators",
        "word_dropout": "training/test_altered_rows.py::test_tokens_are_left_out_and_the_frame_stays",
        "swapped": "training/test_altered_rows.py::test_the_sides_change_places_in_a_share_of_the_rows",
    },
    TrainingConfig: TRAINING,
    PretrainTraining: TRAINING,
}


def test_every_field_is_in_the_table() -> None:
    assert {model: set(fields) for model, fields in EFFECTS.items()} == {
        model: set(model.model_fields) for model in REJECTED
    }


def test_every_test_of_the_table_is_there() -> None:
    places = sorted({place for fields in EFFECTS.values() for place in fields.values()})
    missing = [place for place in places if place.partition("::")[2] not in _tests(place.partition("::")[0])]
    assert not missing


@pytest.mark.parametrize("place", ["core/test_effects.py::test_of_old", "core/test_gone.py::test_every_field"])
def test_a_test_that_is_gone_is_missed(place: str) -> None:
    assert place.partition("::")[2] not in _tests(place.partition("::")[0])


def _tests(file: str) -> set[str]:
    """The tests in a file; none of a file that is gone."""
    path = TESTS / file
    tree = ast.parse(path.read_text(encoding="utf-8")) if path.is_file() else ast.Module([], [])
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith("test")}
