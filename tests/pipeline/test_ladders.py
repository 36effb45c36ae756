"""A target that fails its gates is followed by the next one: what the plan, the files and the report make of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from distill.core.errors import UserError
from distill.core.progress import reporting
from distill.pipeline import execute
from distill.pipeline.experiment import Experiment
from distill.pipeline.figures import baseline, predicted
from distill.pipeline.ladders import ladders
from distill.pipeline.outlook import outlook
from distill.pipeline.plan import bundles, plan, stages_until
from distill.pipeline.preflight import tell_targets
from distill.pipeline.settings import resolve_settings
from distill.pipeline.validation_choices import validation_choices
from tests.core.step_fixtures import left
from tests.pipeline.seeds_project import write_project
from tests.training.toy import Watch

DYNAMIC, STATIC, QAT = "onnx-int8", "onnx-int8-static", "onnx-int8-qat"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return write_project(tmp_path)


def planned(project: Path, *sets: str, export: str = f"[onnx, {DYNAMIC}]") -> Experiment:
    return Experiment(resolve_settings(project, project.parent / "run", sets=[f"export={export}", *sets]))


def exported(project: Path, target: str, flips: float = 0.0, decisions: float = 0.0) -> None:
    """A student's file as its step left it, with what it changes."""
    places = {"decisions": {"value": decisions, "at": "f1 of точно"}, "class_f1": {"value": 0.0, "at": None}}
    changes = {"flips": flips, "shift_max": 0.01, **places}
    figures = {"name": "small", "target": target, "criterion": "decisions", "finite": True, "label_flips": flips}
    left(project.parent / "run" / "export" / "small" / target / "parity.json", {**figures, "changes": changes})


def steps(experiment: Experiment) -> list[str]:
    names = [stage.step.name for stage in [*plan(experiment), *bundles(experiment)]]
    return [name for name in names if "int8" in name]


def taken(experiment: Experiment) -> list[str]:
    return [target for _, target in experiment.shipped()]


def test_a_file_that_passes_or_is_not_made_is_followed_by_none(project):
    assert steps(planned(project)) == [f"export small.{DYNAMIC}", f"predict small@card.{DYNAMIC}"]
    exported(project, DYNAMIC, decisions=0.005)
    assert taken(planned(project)) == ["onnx", DYNAMIC]


def test_a_file_that_fails_its_gates_is_followed_by_the_next_target(project):
    exported(project, DYNAMIC, decisions=0.008)
    experiment = planned(project)
    assert steps(experiment) == [f"export small.{target}" for target in (DYNAMIC, STATIC)] + [
        f"predict small@card.{STATIC}"
    ]
    assert taken(experiment) == ["onnx", STATIC]
    assert f"small@card.{STATIC}" in predicted(experiment) and f"small@card.{DYNAMIC}" not in predicted(experiment)
    (bundle,) = (stage.step for stage in bundles(experiment))
    assert f"export/small/{STATIC}" in bundle.upstream and f"export/small/{DYNAMIC}" not in bundle.upstream
    exported(project, STATIC, flips=0.011)
    experiment = planned(project)
    assert taken(experiment) == ["onnx", QAT]
    assert [name for name in steps(experiment) if "predict" not in name] == [
        f"export small.{DYNAMIC}",
        f"export small.{STATIC}",
        f"refit small.{QAT}",
        f"export small.{QAT}",
    ]
    assert "exact_labels/small" in [stage.step.artifact for stage in plan(experiment)]


def test_the_file_that_is_taken_knows_which_failed_and_by_which_figures(project):
    exported(project, DYNAMIC, decisions=0.008)
    exported(project, STATIC, flips=0.011)
    experiment = planned(project)
    student = experiment.models["small"]
    *_, last = next(rungs for rungs in ladders(experiment.run, experiment.settings, student) if len(rungs) > 1)
    gate = {"name": f"decisions small.{DYNAMIC}", "required": 0.005, "measured": 0.008, "passed": False}
    labels = {"name": f"parity small.{STATIC}", "required": 0.01, "measured": 0.011, "passed": False}
    assert last.target == QAT and list(last.in_place_of) == [
        {"target": DYNAMIC, "failed": [{**gate, "why": "f1 of точно"}]},
        {"target": STATIC, "failed": [labels]},
    ]
    step = next(stage.step for stage in plan(experiment) if stage.step.name == f"export small.{QAT}")
    assert step.config["in_place_of"] == last.in_place_of
    assert {f"export/small/{DYNAMIC}", f"export/small/{STATIC}", f"refitted/small/{QAT}"} <= set(step.upstream)


def test_a_baseline_that_failed_its_gates_stands_for_the_file_that_is_taken_in_its_place(project):
    named = f"quality.baseline=small@card.{DYNAMIC}"
    for target in (DYNAMIC, STATIC, QAT):
        assert baseline(planned(project, named)) == f"small@card.{target}"
        assert "evaluate" in [stage.step.name for stage in plan(planned(project, named))]
        exported(project, target, decisions=0.5)
    with pytest.raises(UserError, match="unknown model"):
        baseline(planned(project, f"quality.baseline=new@document.{DYNAMIC}"))


@pytest.mark.parametrize("gate", ["gates.decisions=null", "gates.decisions=0.02"])
def test_another_limit_is_asked_of_the_file_that_is_there(project, gate):
    exported(project, DYNAMIC, decisions=0.008)
    assert taken(planned(project, gate)) == ["onnx", DYNAMIC]


@pytest.mark.parametrize(
    ("bad", "tried"),
    [
        ([], [f"export small.{DYNAMIC}"]),
        ([DYNAMIC], [f"export small.{DYNAMIC}", f"export small.{STATIC}"]),
        (
            [DYNAMIC, STATIC],
            [f"export small.{DYNAMIC}", f"export small.{STATIC}", f"refit small.{QAT}", f"export small.{QAT}"],
        ),
    ],
)
def test_a_run_goes_on_to_the_next_target_as_soon_as_one_has_failed(project, monkeypatch, bad, tried):
    """As things are after each file, whatever an earlier run has left: its figures are of another student."""
    made: list[str] = []

    def step(steps, one):
        made.append(one.name)
        target = one.artifact.rpartition("/")[2]
        if one.name.startswith("export small.onnx-int8"):
            exported(project, target, flips=0.5 if target in bad else 0.0)

    exported(project, DYNAMIC, flips=0.0 if bad else 0.5)
    monkeypatch.setattr(execute, "run_step", step)
    execute._make_later(planned(project), None, "evaluate", set())
    assert [name for name in made if name.startswith(("export small.onnx-int8", "refit"))] == tried
    taken = tried[-1].removeprefix("export small.")
    assert [name for name in made if name.startswith("predict small@card.onnx-int8")] == [f"predict small@card.{taken}"]
    assert len(set(made)) == len(made)


@pytest.mark.parametrize(
    ("student", "said"),
    [
        ([], []),
        (
            ["students.small.training.objective=one_vs_rest"],
            [
                "students.small is not exported as onnx-int8-qat: its head is folded at the end "
                "(training.objective: one_vs_rest), so that no fit goes on from it"
            ],
        ),
        (
            ["students.other={preset: bag}"],
            [
                "students.other is not exported as onnx-int8, onnx-int8-qat: the family bag has no products of layers "
                "to round",
            ],
        ),
        (
            ["students.other={preset: words}"],
            ["students.other is not exported as onnx, onnx-int8, onnx-int8-qat: no target can write the family tfidf"],
        ),
    ],
)
def test_a_target_that_a_student_cannot_leave_as_is_told_with_the_reason(project, student, said):
    experiment, watch = planned(project, *student, export=f"[onnx, {DYNAMIC}, {QAT}]"), Watch()
    with reporting(watch):
        tell_targets(experiment)
    assert watch.notes == said
    name = "other" if "other" in experiment.models else "small"
    told = {target for line in said for target in line.partition(" as ")[2].partition(":")[0].split(", ")}
    assert {"onnx", DYNAMIC, QAT} - told == {target for spec, target in experiment.shipped() if spec.name == name}


def test_the_plan_tells_it(project):
    watch = Watch()
    settings = planned(project, "students.small.training.objective=one_vs_rest", export=f"[onnx, {QAT}]").settings
    with reporting(watch):
        outlook(settings)
    assert [line for line in watch.notes if "is not exported as onnx-int8-qat" in line]


@pytest.mark.parametrize("target", [STATIC, QAT])
def test_a_target_that_is_named_is_taken_and_no_other(project, target):
    exported(project, target, decisions=0.5)
    exported(project, DYNAMIC, decisions=0.5)
    experiment = planned(project, export=f"[onnx, {target}]")
    assert taken(experiment) == ["onnx", target]
    assert {name.partition(".")[2] for name in steps(experiment)} == {target}


def test_a_target_that_is_named_and_falls_in_place_is_made_once(project):
    exported(project, DYNAMIC, decisions=0.5)
    experiment = planned(project, export=f"[onnx, {STATIC}, {DYNAMIC}]")
    assert taken(experiment) == ["onnx", STATIC]
    assert steps(experiment).count(f"export small.{STATIC}") == 1
    step = next(stage.step for stage in plan(experiment) if stage.step.name == f"export small.{STATIC}")
    assert step.config["in_place_of"][0]["target"] == DYNAMIC


def own_preset(project, **own):
    """The steps of a plan whose quantisation-aware target has settings of its own, by name."""
    folder = project.parent / "presets" / "export"
    folder.mkdir(parents=True, exist_ok=True)
    values = {"target": "onnx_int8_qat", **own}
    (folder / f"{QAT}.yaml").write_text("\n".join(f"{key}: {one}" for key, one in values.items()))
    return {stage.step.name: stage.step for stage in plan(planned(project, export=f"[onnx, {QAT}]"))}


def test_the_training_of_a_target_is_a_step_of_its_own(project):
    plain = own_preset(project)
    kept = own_preset(project, keep_fp32="['*.layer.0.*']", gates="{flips: 0.1}")
    longer = own_preset(project, fit="{share: 0.2}")
    refit, export = f"refit small.{QAT}", f"export small.{QAT}"
    assert plain[refit].config == kept[refit].config != longer[refit].config
    assert plain[export].config != kept[export].config
    assert "students/small" in plain[refit].upstream and plain[refit].artifact in plain[export].upstream


def test_a_target_learns_the_students_own_labels_or_its_teachers(project):
    own, teachers = own_preset(project), own_preset(project, fit="{labels: teachers}")
    refit, exact = f"refit small.{QAT}", "label small exactly"
    assert own[exact].artifact in own[refit].upstream and own[exact].config == {"precision": "fp32"}
    assert exact not in teachers and "labels/new" in teachers[refit].upstream


def test_a_student_whose_fit_cannot_go_on_skips_the_target_that_trains(project):
    """Its head was folded at the end: the outputs that were trained are gone."""
    exported(project, DYNAMIC, decisions=0.5)
    exported(project, STATIC, decisions=0.5)
    assert taken(planned(project)) == ["onnx", QAT]
    folded = "students.small.training.objective=regression"
    assert taken(planned(project, "task.ordered=true", folded)) == ["onnx", STATIC]


def test_the_ladder_ends_before_a_target_that_is_not_there_for_the_students_family(project):
    exported(project, DYNAMIC, decisions=0.5)
    exported(project, STATIC, decisions=0.5)
    config = project.parent / "run" / "students" / "small" / "config.json"
    config.parent.mkdir(parents=True)
    config.write_text('{"model_type": "bert"}')
    assert taken(planned(project)) == ["onnx", QAT]
    config.write_text('{"model_type": "deberta-v2", "relative_attention": true}')
    assert taken(planned(project)) == ["onnx", STATIC]
    refit = next(step for name, step in own_preset(project).items() if name.startswith("refit"))
    with pytest.raises(UserError, match="not there for this family"):
        refit.body(project.parent / "refitted")


def test_an_evaluation_makes_the_files_that_decide_it(project):
    exported(project, DYNAMIC, decisions=0.5)
    kept = [stage.step.name for stage in stages_until(list(plan(planned(project))), "evaluate")]
    assert {f"export small.{DYNAMIC}", f"export small.{STATIC}"} <= set(kept)


def test_an_unknown_target_to_fall_back_to_is_named(project):
    folder = project.parent / "presets" / "export"
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_text("target: onnx_int8_dynamic\nfalls_back: [onnx-int8-statik]\n")
    with pytest.raises(UserError, match="falls_back: unknown target 'onnx-int8-statik', did you mean 'onnx-int8-stati"):
        planned(project, export="[onnx, mine]")


def test_a_target_that_was_taken_by_validation_rows_counts_as_a_choice_on_them(project):
    exported(project, DYNAMIC, decisions=0.5)
    exported(project, STATIC, decisions=0.5)
    experiment = planned(project)
    assert taken(experiment) == ["onnx", QAT]
    assert f"what {DYNAMIC} falls back to (export: without {DYNAMIC})" in list(validation_choices(experiment))
