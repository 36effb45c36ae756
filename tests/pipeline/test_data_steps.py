"""Records and audit as steps: what each publishes, and which of the two a change makes anew."""

import pyarrow.parquet as pq
import pytest

from distill.core.errors import UserError
from distill.core.files import read_json
from distill.core.progress import Reporter, reporting
from distill.core.steps import Steps
from distill.pipeline.execute import _require_audit
from distill.pipeline.experiment import Experiment
from distill.pipeline.findings import _audit_parts, made
from distill.pipeline.plan import plan
from distill.pipeline.plan_lines import planned
from distill.pipeline.preflight import few_rows
from distill.pipeline.seeds import seed_runs
from distill.pipeline.settings import resolve_settings
from distill.pipeline.steps.data import audit_step, records_step
from distill.pipeline.view_tokenizer import known_tokenizer
from tests.pipeline.seeds_project import write_project
from tests.training.toy import Watch


@pytest.fixture
def run(tmp_path):
    """`run(*sets)` makes both steps and returns their statuses."""
    project = write_project(tmp_path)

    def make(*sets):
        experiment = Experiment(resolve_settings(project, tmp_path / "run", sets=sets))
        steps = Steps(experiment.run.path, {}, {})
        for step in (records_step(experiment), audit_step(experiment)):
            steps.run(step)
        return {stage["name"]: stage["status"] for stage in steps.stages}

    make.folder, make.project = tmp_path / "run", project
    return make


def test_each_publishes_its_files(run):
    assert run() == {"records": "done", "audit": "done"}
    assert (run.folder / "quarantine.jsonl").read_bytes() == b""
    assert read_json(run.folder / "audit.json") == read_json(run.folder / "audit" / "audit.json")
    assert not (run.folder / "records" / "audit.json").exists()
    assert run() == {"records": "skipped", "audit": "skipped"}


def test_a_run_is_not_compared_with_itself(run):
    run()
    records = run.folder / "records"
    before = (records / "manifest.json").read_bytes()
    for place in (run.folder, records):
        with pytest.raises(UserError, match=r"cannot be compared with itself(?s:.*)--out"):
            run(f"data.against={place}", "data.junk.min_chars=2")
    assert (records / "manifest.json").read_bytes() == before


def test_nor_with_another_seed_of_it(run):
    sets = ["seeds=[1, 2]", f"data.against={run.folder}"]
    first, second = seed_runs(resolve_settings(run.project, run.folder, sets=sets))
    Steps(second.run, {}, {}).run(records_step(Experiment(second)))
    with pytest.raises(UserError, match="cannot be compared with itself"):
        audit_step(Experiment(first))


@pytest.mark.parametrize(
    ("change", "redone"),
    [
        ("views.card.max_tokens=12", {"records", "audit"}),
        ("views.document.budgets={page.body: 3}", {"audit"}),
        ("views.other={left: [page.title], max_tokens: 8}", {"audit"}),
        ("task.ordered=true", set()),
        ("gates.leak=3", set()),
        ("data.junk.min_chars=2", {"records"}),
        ("data.contained=0.5", {"audit"}),
        ("data.pool.urls.rows=20", {"records", "audit"}),
        ("views.card.right=[page.title, page.url]", {"records"}),
    ],
)
def test_what_a_change_makes_anew(run, change, redone):
    run()
    if "page.url" in change:
        for file in run.project.parent.glob("*.jsonl"):
            file.write_text(file.read_text("utf-8").replace('"page": {', '"page": {"url": "x", '), "utf-8")
        redone = {"records", "audit"}
    assert {name for name, status in run(change).items() if status == "done"} == redone


def test_a_file_that_moves_from_one_split_to_another_makes_the_records_anew(run):
    folder, globs = run.project.parent, ["data.train=[train_*.jsonl]", "data.valid=[valid_*.jsonl]"]
    for split in ("train", "valid"):
        lines = (folder / f"{split}.jsonl").read_text("utf-8").splitlines()
        for part, rows in ((1, lines[:60]), (2, lines[60:])):
            (folder / f"{split}_{part}.jsonl").write_text("\n".join(rows) + "\n", "utf-8")
    run(*globs)
    (folder / "train_2.jsonl").rename(folder / "valid_0.jsonl")
    assert run(*globs)["records"] == "done"
    assert run(*globs)["records"] == "skipped"


def test_the_order_of_equal_sources_counts(run):
    run("data.pool={twice: pool.jsonl, again: pool.jsonl}")
    assert run("data.pool={again: pool.jsonl, twice: pool.jsonl}")["records"] == "done"


def test_an_audit_leaves_the_clean_pool_where_it_is_asked_for(run, tmp_path):
    settings = resolve_settings(run.project, run.folder)
    found = made(settings, "audit", Reporter(), tmp_path / "clean")
    (rows,) = [own["kept"] for source, own in found.content["audit"]["rows"]["by_source"].items() if "pool" in source]
    assert f"clean: {tmp_path / 'clean' / 'urls'}.parquet, {rows} rows of pool.urls" in found.parts
    assert pq.read_metadata(tmp_path / "clean" / "urls.parquet").num_rows == rows
    assert found.content["source_overlaps"]["rows"]["pool.urls"] >= rows


def test_no_step_reads_the_audit(run):
    experiment = Experiment(resolve_settings(run.project, run.folder))
    assert not [stage.step.name for stage in plan(experiment) if "audit" in stage.step.upstream]


def test_lengths_of_a_view_are_counted_by_the_tokenizer_of_a_model_that_reads_it(tmp_path):
    project, encoder = write_project(tmp_path), tmp_path / "encoder"
    encoder.mkdir()
    (encoder / "tokenizer.json").write_text("{}", encoding="utf-8")
    words = "teachers={words: {preset: words}}"
    bag = f"students={{bag: {{preset: bag, view: card, start: {encoder}}}}}"

    def known(*sets):
        settings = resolve_settings(project, tmp_path / "run", sets=sets, until="audit")
        return {view: known_tokenizer(settings, view) for view in ("document", "card")}

    assert known(words, "students={}") == {"document": None, "card": None}
    assert known(words, bag)["card"] == encoder / "tokenizer.json"
    own, other = known(), known(f"teachers.cards={{preset: base, view: card, checkpoint: {encoder}, weight: 0}}")
    assert other == {"document": own["document"], "card": encoder / "tokenizer.json"}


def told(run, *sets):
    """What `few_rows` says of a run's data."""
    run(*sets)
    experiment = Experiment(resolve_settings(run.project, run.folder, sets=sets))
    return list(few_rows(experiment, read_json(run.folder / "audit.json")))


def test_few_test_rows_are_said_with_the_gates_that_they_hardly_let_pass(run):
    (said,) = told(run, "gates.retention_card=0.95")
    assert "80 values of product.id in the test rows" in said and "±4.9 points" in said
    assert "gates.over_gold about 246, gates.retention_card about 227" in said
    (said,) = told(run, "gates.retention_card=0.95", "controls.gold_twins=false")
    assert "over_gold" not in said and "gates.retention_card about 227" in said
    (said,) = told(run, "gates.retention_card=0.95", "quality.metric=log_loss")
    assert "over_gold" not in said
    assert told(run, "gates.retention_card=0.5", "gates.over_gold=null") == []


def test_few_validation_rows_of_the_positive_class_are_said(run):
    path = run.project.parent / "valid.jsonl"
    lines = path.read_text().splitlines()
    kept = [line for line in lines if "точно" not in line]
    path.write_text("\n".join([*kept, *(line for line in lines if "точно" in line)][: len(kept) + 6]) + "\n")
    off = ("gates.over_gold=null", "gates.retention_card=null")
    (said,) = told(run, *off)
    assert said.startswith("validation has 6 rows of 'точно', and thresholds and checkpoints are chosen on them: give")
    assert told(run, *off, "task.positive=null") == []


def test_the_audit_the_plan_and_the_run_say_what_few_rows_cannot_tell(run):
    run()
    settings, said = resolve_settings(run.project, run.folder), "gates.over_gold about 246"
    report = {"audit": read_json(run.folder / "audit.json"), "gates": []}
    assert any(said in str(part) for part in _audit_parts(settings, report))
    assert any(said in one for one in noted(lambda: planned(settings)))
    assert noted(lambda: _require_audit(Experiment(settings), report, "audit")) == []
    assert any(said in one for one in noted(lambda: _require_audit(Experiment(settings), report, "teach")))


def noted(do):
    """The notes of a call. What the plan looks at beside them is left out."""
    watch = Watch()
    with reporting(watch), pytest.MonkeyPatch.context() as patched:
        patched.setattr("distill.pipeline.plan_lines.outlook", lambda settings: None)
        patched.setattr("distill.pipeline.plan_lines.plan_lines", lambda found, folder: [])
        do()
    return watch.notes
