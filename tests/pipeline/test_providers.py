"""What runs exported files in a run: steps of their own where it was asked for, and a check before any training."""

from __future__ import annotations

from dataclasses import replace

import onnxruntime
import pytest

from benchmarks import placing
from benchmarks.subjects import Subject
from distill.cli.options import Options
from distill.core.errors import UserError
from distill.core.progress import Reporter
from distill.core.run_folder import RunFolder
from distill.inference import engines
from distill.pipeline.execute import execute
from distill.pipeline.experiment import Experiment
from distill.pipeline.preflight import require_machine, require_provider
from distill.pipeline.settings import resolve_settings
from distill.pipeline.steps.bench import bench_step
from distill.pipeline.steps.predict import predict_exported_step
from tests.pipeline.seeds_project import write_project

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@pytest.fixture
def experiment(tmp_path):
    """`experiment(*sets)`: a run of the project with settings over it."""
    project = write_project(tmp_path)
    return lambda *sets: Experiment(resolve_settings(project, tmp_path / "run", sets=["export=[onnx]", *sets]))


@pytest.fixture
def has(monkeypatch):
    """`has(*providers, torch=…)`: what this machine's ONNX Runtime and PyTorch can use."""

    def of(*names, torch=False):
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: list(names))
        monkeypatch.setattr(placing, "_torch_has_cuda", lambda: torch)

    return of


def asked_of(experiment):
    spec = next(iter(experiment.models.values()))
    return [
        step.config.get("provider")
        for step in (predict_exported_step(experiment, spec, "onnx"), bench_step(experiment))
    ]


def test_a_provider_that_was_asked_for_measures_anew(experiment):
    assert asked_of(experiment()) == asked_of(experiment("provider=auto")) == [None, None]
    assert asked_of(experiment("provider=cuda")) == ["cuda", "cuda"]


def test_what_cannot_run_there_is_told_before_anything_is_trained(experiment, has):
    has(CPU)
    for sets in ((), ("provider=cpu",), ("provider=cuda", "export=[]")):
        require_provider(experiment(*sets))
    with pytest.raises(UserError, match="'onnx' cannot run there.*(?s:.*)needs CUDA.*pip install onnxruntime-gpu"):
        require_provider(experiment("provider=cuda"))
    has(CUDA, CPU)
    require_provider(experiment("provider=cuda"))
    with pytest.raises(
        UserError, match="'onnx-int8' cannot run there(?s:.*)must not run on cuda: its integer products"
    ):
        require_provider(experiment("provider=cuda", "export=[onnx,onnx-int8]"))


@pytest.mark.parametrize("until", ["evaluate", "bench"])
def test_a_run_is_refused_before_its_first_step(experiment, has, until):
    has(CPU)
    settings = experiment("provider=cuda").settings
    with pytest.raises(UserError, match="cannot run there"):
        execute(settings, Reporter(), until)
    assert not (settings.run / "records").exists()


@pytest.mark.parametrize(
    ("machine", "asked", "where", "left_out"),
    [
        ({}, "auto", {"model": "cpu", "onnx": "cpu", "int8": "cpu"}, ()),
        ({"names": [CUDA, CPU]}, "auto", {"model": "cpu", "onnx": "cpu", "int8": "cpu"}, ()),
        ({"names": [CUDA, CPU], "torch": True}, "auto", {"model": "cuda", "onnx": "cuda", "int8": "cpu"}, ()),
        ({"names": [CUDA, CPU], "torch": True}, "cpu", {"model": "cpu", "onnx": "cpu", "int8": "cpu"}, ()),
        ({"names": [CUDA, CPU], "torch": True}, "cuda", {"model": "cuda", "onnx": "cuda"}, ["int8"]),
    ],
)
def test_latency_compares_on_one_machine_and_names_what_cannot_be_there(machine, asked, where, left_out, has, tmp_path):
    has(*machine.get("names", [CPU]), torch=machine.get("torch", False))
    model = Subject("model", "document", "pytorch", "fp32", tmp_path, "teacher")
    subjects = [model, *(Subject(name, "card", "onnxruntime", name, tmp_path, "student", target) for name, target in
                         (("onnx", "onnx_fp32"), ("int8", "onnx_int8_dynamic")))]  # fmt: skip
    found, why = placing.placed(subjects, asked)
    assert {subject.name: subject.provider for subject in found} == where and list(why) == list(left_out)
    assert all("no kernels on a GPU" in reason for reason in why.values())


def test_latency_on_an_absent_provider_names_what_to_install(has, tmp_path):
    has(CPU)
    subject = Subject("s", "card", "onnxruntime", "fp32", tmp_path, "student", "onnx_fp32")
    with pytest.raises(UserError, match="no such provider(?s:.*)onnxruntime-gpu"):
        placing.placed([subject], "cuda")


def test_the_flag_is_the_field(tmp_path):
    asked = Options(config=write_project(tmp_path), out=tmp_path / "run")
    assert asked.settings().project.provider == "auto"
    assert replace(asked, provider="cpu").settings().project.provider == "cpu"
    with pytest.raises(UserError, match="provider.*'gpu'"):
        replace(asked, provider="gpu").settings()


def test_a_file_that_this_machine_cannot_make_is_told_before_anything_is_trained(experiment, monkeypatch):
    def none():
        raise engines.NoGpu("there is no CUDA driver here (libcuda.so.1)")

    monkeypatch.setattr(engines, "machine", none)
    found = experiment("export=[onnx,tensorrt-fp16]")
    with pytest.raises(UserError, match=r"export: tensorrt-fp16[\s\S]*no CUDA driver here[\s\S]*engine: later"):
        execute(found.settings, Reporter())
    assert not (found.run / "records").exists()
    pending = {RunFolder.export(spec.name, "onnx") for spec, _ in found.exports()}
    require_machine(found, pending)  # its own files are made already
