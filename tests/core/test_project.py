"""Every field of every config model has a value that it refuses, and the message names the field."""

from __future__ import annotations

import importlib
import inspect
import re
from contextlib import nullcontext, suppress
from typing import Any

import pytest
from pydantic import BaseModel

from distill.core import project
from distill.core.config import Config, parse
from distill.core.errors import UserError
from distill.core.intake import config as intake
from distill.core.selection.config import Select
from distill.models.config import FreshEncoder, VocabularyConfig
from distill.training.config import TrainingConfig
from export.targets.onnx_cuda import OnnxCuda
from export.targets.onnx_fp16 import OnnxFp16
from export.targets.onnx_fp32 import OnnxFp32
from export.targets.onnx_int8_dynamic import OnnxInt8Dynamic
from export.targets.onnx_int8_qat import OnnxInt8Qat
from export.targets.onnx_int8_static import OnnxInt8Static
from export.targets.tensorrt_bf16 import TensorrtBf16
from export.targets.tensorrt_fp16 import TensorrtFp16
from students.config import StudentConfig, StudentEntry, TrainedEntry
from teachers.config import LabellingConfig, TeacherConfig, TeacherEntry
from teachers.pretraining.config import EmbeddingTeacherConfig, PretrainConfig, PretrainTraining, TextSource
from tests.core import (
    rejected_asking,
    rejected_data,
    rejected_elsewhere,
    rejected_junk,
    rejected_losses,
    rejected_measuring,
    rejected_training,
)
from tests.core.rejected_measuring import TASK

MODULES = (
    *rejected_losses.MODULES,
    *rejected_asking.MODULES,
    "distill.core.project",
    "distill.core.class_floor",
    "distill.core.swap",
    "distill.core.labelling",
    *rejected_data.MODULES,
    *rejected_junk.MODULES,
    "distill.core.selection.config",
    "distill.models.config",
    "distill.training.config",
    "distill.training.learning",
    "teachers.config",
    "teachers.phases",
    "teachers.pretraining.config",
    "students.config",
    "export.targets.onnx_cuda",
    "export.targets.onnx_fp16",
    "export.targets.onnx_fp32",
    "export.targets.onnx_int8_dynamic",
    "export.targets.tensorrt_bf16",
    "export.targets.tensorrt_fp16",
    "export.targets.onnx_int8_static",
    "export.targets.onnx_int8_qat",
    "export.quantised_fit",
    "distill.core.limits",
    "benchmarks.config",
)
VIEW = {"left": ["product.title"], "right": ["page.title"], "max_tokens": 64}
DATA = {"train": "train.jsonl", "test": {"unseen": ["test.jsonl"]}}

# What a model needs besides the field under test.
NEEDED: dict[type[Config], dict[str, Any]] = {
    **rejected_losses.NEEDED,
    **rejected_measuring.NEEDED,
    **rejected_asking.NEEDED,
    **rejected_junk.NEEDED,
    intake.PoolSource: {"files": ["pool.jsonl"]},
    intake.Data: DATA,
    project.ViewConfig: VIEW,
    project.Project: {"task": TASK, "data": DATA, "views": {"document": VIEW, "card": VIEW}},
    Select: {"rows": 100, "entropy": [0, 1]},
    TeacherEntry: {"preset": "base"},
    TeacherConfig: {"preset": "base"},
    StudentEntry: {"preset": "8L"},
    TextSource: {"files": "a.jsonl", "left": ["title"]},
    EmbeddingTeacherConfig: {"encoder": "a"},
    TrainedEntry: {"preset": "bag"},
    StudentConfig: {"preset": "8L", "layers": 8, "keep": "spread"},
    OnnxFp32: {"name": "onnx", "target": "onnx_fp32"},
    OnnxFp16: {"name": "onnx-fp16", "target": "onnx_fp16", "tolerance": 0.02},
    TensorrtFp16: {"name": "tensorrt-fp16", "target": "tensorrt_fp16", "tolerance": 0.02},
    TensorrtBf16: {"name": "tensorrt-bf16", "target": "tensorrt_bf16", "tolerance": 0.15},
    OnnxCuda: {"name": "onnx-cuda", "target": "onnx_cuda"},
    OnnxInt8Dynamic: {"name": "onnx-int8", "target": "onnx_int8_dynamic"},
    OnnxInt8Static: {"name": "static", "target": "onnx_int8_static"},
    OnnxInt8Qat: {"name": "qat", "target": "onnx_int8_qat"},
}

TRAINED: dict[str, Any] = {
    "preset": 5,
    "family": 5,
    "learns_from": [],
    "rows": [5],
    "allow_missing": "maybe",
    "view": 5,
    "init": "random",
    "source": 5,
    "start": 5,
    "fresh": 5,
    "vocabulary": "seen",
    **rejected_training.TERMS,
    "training": 5,
}

REJECTED: dict[type[Config], dict[str, Any]] = {
    **rejected_losses.REJECTED,
    **rejected_data.REJECTED,
    **rejected_junk.REJECTED,
    **rejected_measuring.REJECTED,
    **rejected_asking.REJECTED,
    **rejected_training.REJECTED,
    intake.Data: {
        "root": 5,
        "id": ["id"],
        "label": None,
        "slice": 5,
        "keys": "product.id",
        "train": [],
        "valid": [],
        "test": {"unseen": []},
        "extra": {"old": []},
        "pool": {"urls": {"rows": 3}},
        "pool_exclude": "none",
        "split": 0.1,
        "junk": 1,
        "against": 5,
        "near": {"jaccard": 2},
        "contained": 1.1,
        "encoding": 1251,
        "quotes": "single",
        "on_bad_row": "skip",
        "on_leak": "drop_test",
        "on_card_leak": "drop_test",
        "on_valid_key": "drop_valid",
    },
    project.Project: {
        "task": {"labels": "да"},
        "data": {},
        "views": {"document": VIEW},
        "teachers": {"base": 3},
        "labels": 5,
        "select": {"rows": 0},
        "labelling": {"engine": 5},
        "pretrain": 1,
        "students": ["8L_trunc"],
        "export": "onnx",
        "gates": 1,
        "controls": 1,
        "quality": 1,
        "fall_through": {"shares": [1]},
        "bench": 1,
        "budget": {"ms": 0},
        "bundle": 1,
        "report": 1,
        "sweep": 1,
        "seed": -1,
        "training_seed": -1,
        "seeds": [1, 1],
        "threads": 0,
        "provider": "gpu",
    },
    Select: {"rows": 0, "entropy": [0.5, 2], "balance": ["label"], "per_key": 0, "seed": -1},
    FreshEncoder: {"layers": 0, "width": 0, "heads": 0, "matching_heads": -1, "vocabulary": 99},
    TextSource: {
        "root": 5,
        "files": [],
        "left": [],
        "right": "title",
        "category": 5,
        "where": ["label"],
        "unlike": [],
        "rows": 0,
        "terms": 5,
    },
    EmbeddingTeacherConfig: {"encoder": 5, "hidden": -1, "relation": -1, "max_tokens": 3},
    PretrainConfig: {
        "checkpoint": 5,
        "fresh": 5,
        "view": 5,
        "own": "maybe",
        "category": 5,
        "texts": ["offers"],
        "masked": 1,
        "swapped": 2,
        "mlm": -1,
        "pair_matching": -1,
        "token_overlap": -1,
        "embedding_teacher": "base",
        "held_out": 0,
        "evaluate_steps": 0,
        "half": "maybe",
        "training": 5,
    },
    LabellingConfig: {
        "shard_rows": 0,
        "batch_tokens": 0,
        "half": "maybe",
        "precision": "fp16",
        "precision_limit": 0,
        "backend": "",
        "unpadded": "perhaps",
        "compiled": "perhaps",
        "tokenisers": -1,
    },
    TeacherConfig: {
        **rejected_elsewhere.TEACHER,
        **rejected_training.TERMS,
        "checkpoint": 5,
        "finished": 5,
        "labels": 5,
        "fresh": 5,
        "starts_from": 5,
        "pretrain": "perhaps",
        "head": {"hidden": 0},
        "vocabulary": "seen",
        "training": 5,
        "layers": 0,
        "keep": "middle",
        "phases": 5,
        "copies": 0,
    },
    VocabularyConfig: {"keep": "all", "min_count": 0},
    StudentEntry: {"preset": 5, "family": 5, "view": 5, "learns_from": [], "rows": [], "allow_missing": "maybe"},
    TrainedEntry: TRAINED,
    StudentConfig: {**TRAINED, "layers": 0, "keep": "middle", "token_schedule": [1, 1, 1, 1, 2, 2, 3, 4], "head": 2},
}
REJECTED |= rejected_elsewhere.REJECTED
REJECTED[PretrainTraining] = REJECTED[TrainingConfig]
CASES = [(model, name, value) for model, fields in REJECTED.items() for name, value in fields.items()]


def models() -> set[type[Config]]:
    """All config models of the modules above."""
    found = [value for name in MODULES for value in vars(importlib.import_module(name)).values()]
    configs = {one for one in found if isinstance(one, type) and issubclass(one, Config) and one is not Config}
    return {one for one in configs if not inspect.isabstract(one)}


def test_the_table_names_every_field_of_every_model():
    assert {one.__name__: set(fields) for one, fields in REJECTED.items()} == {
        one.__name__: set(one.model_fields) for one in models()
    }


@pytest.mark.parametrize("model", REJECTED, ids=lambda model: model.__name__)
def test_what_the_table_changes_is_accepted_as_it_is(model):
    parse(model, NEEDED.get(model, {}), "project.yaml")


@pytest.mark.parametrize("model", REJECTED, ids=lambda model: model.__name__)
def test_defaults_may_be_written_out(model):
    """As a resolved project file has them: all at once, and each alone; one that is needed may be refused in words."""
    needed = NEEDED.get(model, {})
    made = parse(model, needed, "project.yaml")
    assert parse(model, made.as_json(), "project.yaml") == made
    for name, field in model.model_fields.items():
        if not field.is_required() and field.default is None:
            with suppress(UserError) if name in needed else nullcontext():
                parse(model, {**needed, name: None}, "project.yaml")


@pytest.mark.parametrize(("model", "name", "value"), CASES, ids=[f"{m.__name__}.{n}" for m, n, _ in CASES])
def test_the_value_is_refused_by_name(model, name, value):
    with pytest.raises(UserError) as caught:
        parse(model, {**NEEDED.get(model, {}), name: value}, "project.yaml")
    lines = re.findall(r"^  - (.*)", str(caught.value), re.MULTILINE)
    assert lines and all(re.match(rf"{name}\b", line) for line in lines)


@pytest.mark.parametrize("model", REJECTED, ids=lambda model: model.__name__)
def test_every_field_of_plain_values_is_described(model: type[BaseModel]):
    for name, field in model.model_fields.items():
        section = isinstance(field.annotation, type) and issubclass(field.annotation, Config)
        assert section or field.description or name == "views", f"{model.__name__}.{name}"


@pytest.mark.parametrize(
    ("model", "values", "message"),
    [
        (project.Task, {"labels": ["а", "а"]}, "labels: a duplicate name"),
        (intake.Data, {"train": "a", "split": {"mode": "keys"}}, "keys: split.mode keys needs"),
        (
            intake.Data,
            {**DATA, "keys": ["k"], "split": {"mode": "keys"}},
            "test: split.mode keys makes valid and",
        ),
        (intake.Data, {"train": "a"}, "test: name at least one test set"),
        (intake.PoolSource, {"files": "a", "pairs": {}}, "pairs: files are named too"),
        (intake.PoolSource, {"files": None, "rows": 3}, "files: missing; name files of pairs, or let pairs be made"),
        (intake.PoolSource, {"pairs": {}, "pairing": "neighbours"}, "pairing: how rows of files are paired"),
        (
            intake.MadePairs,
            {"exact": 0, "neighbours": 0, "hard": 0, "random": 0},
            "neighbours: with exact, hard and random at 0 too there is no pair",
        ),
        (intake.Data, {**DATA, "split": {"valid": 0.5, "test": 0.5}}, "split: valid and test leave no keys"),
        (project.ViewConfig, {**VIEW, "budgets": {"page.body": 3}}, "budgets: page.body not among the view's fields"),
        (project.ViewConfig, {**VIEW, "prefixes": {"page.body": "P: "}}, "prefixes: page.body not among the view's"),
        (project.ViewConfig, {**VIEW, "max_tokens": 8193}, "max_tokens: "),
        (project.Project, {"task": TASK, "data": DATA, "views": {}}, "views.document, views.card: missing"),
        (project.Project, {**NEEDED[project.Project], "select": {"rows": 5}}, "select: there is no pool"),
        (
            project.Project,
            {**NEEDED[project.Project], "select": {"rows": 5, "balance": ["slice"]}},
            "select.balance: slice needs the column in data.slice",
        ),
        (
            project.Project,
            {**NEEDED[project.Project], "select": {"per_key": 5}},
            "select.per_key: needs the columns in data.keys",
        ),
        (
            project.Project,
            {**NEEDED[project.Project], "seeds": [1, 2], "training_seed": 3},
            "training_seed: seeds gives each run its own",
        ),
        (
            project.Project,
            {**NEEDED[project.Project], "task": {"labels": ["нет", "да"]}, "quality": {"metric": "f1_positive"}},
            "quality.metric: f1_positive needs a positive class",
        ),
        (
            project.Task,
            {"labels": ["нет", "да"], "kind": "multi", "ordered": True},
            "ordered: a record has one place on a scale, with kind multi it has several labels",
        ),
        (
            TrainingConfig,
            {"warmup": 100, "ceiling_steps": 50},
            "ceiling_steps: 50 is not above the warm-up of 100 steps",
        ),
        (
            TrainingConfig,
            {"warmup": 50, "ceiling_steps": 50},
            "ceiling_steps: 50 is not above the warm-up of 50 steps",
        ),
        (
            TrainingConfig,
            {"warmup": 100, "max_steps": 100},
            "max_steps: 100 is not above the warm-up of 100 steps",
        ),
        (TrainingConfig, {"checkpoint": "last"}, "checkpoint: last needs a fixed length (epochs or max_steps)"),
        (FreshEncoder, {"width": 100, "heads": 3}, "width: 100 is no multiple of heads, 3"),
        (FreshEncoder, {"matching_heads": 5}, "matching_heads: 5 is more than heads, 4"),
        (
            TeacherConfig,
            {"preset": "base", "checkpoint": "base", "fresh": {"layers": 2}},
            "fresh: the teacher starts from 'base'; set checkpoint: null",
        ),
        (
            TeacherConfig,
            {"preset": "base", "checkpoint": "base", "finished": "a", "vocabulary": {}},
            "vocabulary: a finished teacher is taken as it is; trim its students instead",
        ),
        (TeacherConfig, {"preset": "base", "finished": "a", "head": {}}, "head: a finished teacher is taken as it is"),
        (TrainingConfig, {"optimiser": "muon", "lora": {}}, "lora: muon is for whole matrices of the layers"),
        (PretrainTraining, {"optimiser": "adamw", "lora": {}}, "lora: pre-training learns all weights"),
        (PretrainTraining, {"gradient_checkpointing": True}, "gradient_checkpointing: pre-training learns all weights"),
        (TeacherConfig, {"preset": "base", "vocabulary": {}}, "vocabulary: random weights have one that is learnt"),
        (
            StudentConfig,
            {**NEEDED[StudentConfig], "keep": [0, 2, 2]},
            "keep: layers are numbered from 0 and listed once, in their order (found [0, 2, 2])",
        ),
        (StudentConfig, {**NEEDED[StudentConfig], "keep": [0, 2]}, "keep: 2 layers are listed, and layers is 8"),
        (
            StudentConfig,
            {**NEEDED[StudentConfig], "start": "a", "fresh": {}},
            "fresh: start names an encoder of its own already",
        ),
        (
            StudentConfig,
            {**NEEDED[StudentConfig], "fresh": {}, "source": "base"},
            "source: the student has a start of its own, by fresh",
        ),
        (
            StudentConfig,
            {**NEEDED[StudentConfig], "start": "a", "init": "pretrained"},
            "init: the student has a start of its own, by start",
        ),
        (
            StudentConfig,
            {**NEEDED[StudentConfig], "fresh": {}, "vocabulary": {}},
            "vocabulary: random weights have one that is learnt from the texts",
        ),
        (PretrainConfig, {"own": False}, "texts: with own: false there is nothing to read"),
        (
            EmbeddingTeacherConfig,
            {"encoder": "a", "hidden": 0, "relation": 0},
            "hidden: hidden and relation are both 0",
        ),
    ],
)
def test_fields_that_do_not_fit_together_are_refused(model, values, message):
    with pytest.raises(UserError, match=rf"  - {re.escape(message)}"):
        parse(model, values, "project.yaml")


@pytest.mark.parametrize(
    ("seeds", "message"),
    [
        ([], "seeds: List should have at least 1 item"),
        ([2, 1, 2], "seeds: a duplicate seed (found [2, 1, 2])"),
        ([1, -2], "seeds.1: Input should be greater than or equal to 0"),
        (3, "seeds: Input should be a valid list"),
    ],
)
def test_seeds_that_are_refused(seeds, message):
    with pytest.raises(UserError, match=rf"  - {re.escape(message)}"):
        parse(project.Project, {**NEEDED[project.Project], "seeds": seeds}, "project.yaml")


def test_weights_take_the_seed_of_the_data_unless_they_have_their_own():
    made = [parse(project.Project, {**NEEDED[project.Project], "seed": 4, **more}, "project.yaml").weights_seed
            for more in ({}, {"training_seed": 0}, {"training_seed": 9})]  # fmt: skip
    assert made == [4, 0, 9]


def test_short_forms_of_file_lists():
    data = parse(
        intake.Data,
        {
            "train": "a",
            "valid": "b",
            "test": {"x": "c"},
            "pool": {"p": "d", "q": ["e"], "r": {"files": "f", "rows": 2}},
        },
        "project.yaml",
    )
    assert (data.train, data.valid, data.test) == (["a"], ["b"], {"x": ["c"]})
    assert [source.files for source in data.pool.values()] == [["d"], ["e"], ["f"]]


def test_labels_that_yaml_reads_as_numbers_or_booleans_become_names():
    task = parse(project.Task, {"labels": [0, 1.0, True], "positive": 1}, "project.yaml")
    assert (task.space.labels, task.space.positive_index) == (("0", "1", "true"), 1)
