"""The tests of the fields of labelling; a part of the table of `test_effects.py`."""

from __future__ import annotations

from collections.abc import Mapping

from distill.core.config import Config
from distill.core.labelling import Labelling
from teachers.config import LabellingConfig

SHARDS = "teachers/test_label.py::test_train_rows_then_the_pool_with_the_teachers_logits"
ON_RAY = "pipeline/test_labelling.py::test_a_run_labels_as_its_project_says_and_no_label_depends_on_it"

EFFECTS: Mapping[type[Config], Mapping[str, str]] = {
    Labelling: {
        "engine": ON_RAY,
        "workers": "teachers/engines/test_crew.py::test_a_cluster_is_asked_for_as_many_workers_as_it_has_room_for",
        "gpus": "teachers/engines/test_crew.py::test_each_worker_has_what_was_asked_and_no_more_work_at_once_than_that",
        "deaths": "teachers/engines/test_crew.py::test_a_shard_that_kills_its_workers_is_named_with_its_rows",
        "store": "teachers/engines/test_kept.py::test_another_machine_copies_the_finished_shards_and_opens_no_model",
    },
    LabellingConfig: {
        "shard_rows": SHARDS,
        "batch_tokens": "teachers/test_label.py::test_batch_tokens_decide_how_much_is_read_at_once",
        "half": "teachers/test_label.py::test_half_the_bytes",
        "precision": "teachers/test_label.py::test_labelling_runs_where_the_precision_was_chosen_for",
        "precision_limit": "families/test_checked_opening.py::test_a_limit_decides_whether_the_fast_way_is_taken",
        "tokenisers": "inference/test_tokenisers.py::test_processes_tokenise_and_the_labels_are_the_same",
        "compiled": "teachers/test_label.py::test_a_model_is_compiled_where_that_is_asked_and_can_be",
        "unpadded": "teachers/test_label.py::test_batches_are_read_without_padding_where_that_is_asked",
        "backend": "teachers/test_label.py::test_a_backend_labels_and_one_that_answers_otherwise_does_not",
    },
}
