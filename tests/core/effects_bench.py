"""The tests of the fields of the latency benchmark; a part of the table of `test_effects.py`."""

from __future__ import annotations

from collections.abc import Mapping

from benchmarks.config import BenchConfig
from distill.core.budget import Budget
from distill.core.config import Config
from tests.core.effects_losses import each

LATENCY, ROWS = "benchmarks/test_latency.py", "benchmarks/test_latency_rows.py"
SAMPLING, SCENARIOS, VARIANTS = (f"benchmarks/test_{name}.py" for name in ("sampling", "scenarios", "variants"))
REQUESTS = "benchmarks/test_latency_worker.py::test_every_request_is_sampled_once_per_batch_size"
ROUNDS = f"{LATENCY}::test_processes_visit_every_subject_before_the_next_round"
GRID = f"{SCENARIOS}::test_a_grid_has_a_cell_for_each_batch_and_length"
BUDGET = "pipeline/test_budget.py"
SCREENED = f"{BUDGET}::test_candidates_are_timed_as_they_are_served_on_training_rows"
FURTHER = f"{BUDGET}::test_a_second_start_times_nothing_again_and_a_new_length_alone"
WIDE = f"{BUDGET}::test_widths_have_weights_of_their_own_and_layers_that_are_probed_are_spread_while_they_are_timed"
OPEN = f"{SCENARIOS}::test_open_loop_finds_the_highest_rate_under_the_bound"

EFFECTS: Mapping[type[Config], Mapping[str, str]] = {
    Budget: {
        "ms": f"{BUDGET}::test_what_is_beyond_the_bound_spares_what_does_more",
        "percentile": f"{BUDGET}::test_either_percentile_may_be_bound",
        **each(FURTHER, "layers", "max_tokens", "bag"),
        **each(WIDE, "widths", "threads"),
        "train": f"{BUDGET}::test_the_best_that_holds_on_other_requests_is_named",
        "requests": SCREENED,
        "processes": f"{BUDGET}::test_processes_and_requests_are_those_of_the_budget",
    },
    BenchConfig: {
        **each(ROUNDS, "requests", "processes"),
        **each(REQUESTS, "warmup", "batch", "throughput_batch"),
        "minutes": f"{SAMPLING}::test_it_ends_with_the_time_and_nobody_is_left_out",
        "within": f"{SAMPLING}::test_it_ends_when_every_ratio_is_narrow_enough",
        "threads": f"{LATENCY}::test_the_result_says_how_it_was_measured",
        "layouts": "benchmarks/test_latency_worker.py::test_only_a_students_file_is_laid_out_in_several_ways",
        "spinning": "benchmarks/test_process.py::test_threads_wait_as_was_asked_whatever_the_environment_says",
        "tail_samples": f"{ROWS}::test_tail_percentiles_are_null_until_there_are_enough_samples",
        "seed": "benchmarks/test_requests.py::test_the_choice_depends_on_the_seed_only",
        "trained_students": "pipeline/test_bench.py::test_students_are_timed_in_pytorch_where_that_is_asked",
        "int8_teachers": f"{VARIANTS}::test_document_teachers_are_timed_as_int8_where_students_are",
        "openvino": f"{VARIANTS}::test_fp32_files_are_timed_in_openvino_where_it_is_installed",
        "compiled": f"{VARIANTS}::test_compiled_models_are_further_subjects",
        "scenarios": f"{SCENARIOS}::test_scenarios_are_measured_where_they_are_asked",
        **each(GRID, "grid_batch", "grid_tokens"),
        **each(OPEN, "arrivals", "p99_ms"),
        "sessions": f"{SCENARIOS}::test_sessions_share_the_threads",
    },
}
