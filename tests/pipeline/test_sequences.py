"""Models that are made one after the other: teachers from teachers, students from students, encoders adapted first."""

from __future__ import annotations

import json

import pytest

from distill.core.errors import UserError
from distill.core.progress import Reporter, reporting
from distill.models.encoder import layer_stack, load_classifier
from distill.pipeline.adapting import adapting
from distill.pipeline.estimate import _shortened
from distill.pipeline.experiment import Experiment
from distill.pipeline.outlook import outlook
from distill.pipeline.plan import bundles, plan, stages_until
from distill.pipeline.preflight import require_equal_starts
from distill.pipeline.seeds import execute_run
from distill.pipeline.settings import resolve_settings
from distill.pipeline.steps.fit import fit_step
from distill.pipeline.steps.pretrain import pretraining_steps
from teachers.pretraining.config import PretrainConfig
from teachers.pretraining.pairs import read_pairs
from tests.training.toy import same_weights, toy_encoder

FROM_CARD = "teachers.base.starts_from=base@card"
SECOND = "teachers.second={preset: base, checkpoint: null, starts_from: base, weight: 0}"
TWO = "{preset: 4L, layers: 2, source: %s}"
CHAIN = [
    "students.a={preset: 4L, layers: 2}",
    f"students.b={TWO % 'a'}",
    "students.c={preset: 3L, layers: 1, source: b}",
]
SMALL = "pretrain={held_out: 20, evaluate_steps: 6, training: {max_steps: 6, batch_size: 8, precision: fp32}}"
ADAPTED = ["teachers.base.pretrain=true", SMALL]


def experiment_of(planted, *sets):
    return Experiment(resolve_settings(planted, planted.parent / "nowhere", sets=sets))


def names(experiment, verb=None):
    return [stage.step.name for stage in plan(experiment) if verb in (None, stage.verb)]


def step(experiment, name):
    return next(stage.step for stage in plan(experiment) if stage.step.name == name)


def files(step):
    """The record files that a step reads."""
    return next(read.files for read in step.reads if read.artifact == "records")


def test_a_document_teacher_starts_from_the_card_teacher_which_starts_from_the_checkpoint(planted):
    experiment = experiment_of(planted, FROM_CARD)
    made = [name for name in names(experiment, "teach") if name.startswith(("teach", "checkpoint"))]
    assert made == ["checkpoint base", "teach base@card", "teach base@document"]
    assert step(experiment, "teach base@card").upstream == ("records", "checkpoints/base")
    assert step(experiment, "teach base@document").upstream == ("records", "teachers/base@card")


def test_the_card_teacher_is_there_for_a_teacher_even_where_no_student_needs_it(planted):
    before, _, rest = planted.read_text(encoding="utf-8").partition("students:")
    file = planted.with_name("teachers_alone.yaml")
    file.write_text(f"{before}students: {{}}\nexport:{rest.partition('export:')[2]}", encoding="utf-8")
    assert "teach base@card" not in names(experiment_of(file))
    assert "teach base@card" in names(experiment_of(file, FROM_CARD))


def test_equal_views_are_no_copy_where_one_starts_from_the_other(planted):
    """The second fit goes on where the first one ended, so that its weights are others."""
    same = "views.card={left: [product.title], right: [page.title, page.body], max_tokens: 24}"
    assert experiment_of(planted, same).models["base@card"].copy_of == "base"
    assert experiment_of(planted, same, FROM_CARD).models["base@card"].copy_of is None


def test_a_teacher_starts_from_another_and_untouched_students_from_the_first_ones_checkpoint(planted):
    experiment = experiment_of(planted, SECOND, "students.small.source=second", "students.small.init=pretrained")
    assert step(experiment, "teach second@document").upstream == ("records", "teachers/base")
    assert step(experiment, "train small").upstream == ("records", "checkpoints/base", "labels/base")
    assert names(experiment).count("checkpoint base") == 1 and "checkpoint second" not in names(experiment)


def test_what_a_teacher_starts_from_counts_by_its_weights_alone(planted):
    """Its name is in no fingerprint: the folder that is read is."""
    assert "starts_from" not in step(experiment_of(planted, SECOND), "teach second@document").config


@pytest.mark.parametrize(
    ("sets", "parts"),
    [
        (["teachers.base.starts_from=bsae@card"], ["teachers.base.starts_from: no such teacher", "'base@card'"]),
        (["teachers.base.starts_from=xyz"], ["no such teacher 'xyz', known: base@card"]),
        (["teachers.base.starts_from=base"], ["no such teacher 'base'"]),
        ([SECOND, "teachers.base.starts_from=second"], ["waits for itself, base → second → base", "starts_from"]),
        (
            [SECOND, "teachers.base.starts_from=second", "teachers.second.starts_from=base@card"],
            ["waits for itself", "base@card"],
        ),
        ([FROM_CARD, "teachers.base.view=card"], ["there is no 'base@card': the teacher reads cards itself"]),
        ([FROM_CARD, "controls.card_teacher=false"], ["there is no 'base@card': controls.card_teacher leaves it out"]),
        (["teachers.base={finished: x, starts_from: base@card}"], ["starts_from: a finished teacher is not trained"]),
        (["teachers.base={labels: x.jsonl, pretrain: true}"], ["teachers.base.pretrain: its labels were made else"]),
        (["teachers.base={finished: x, pretrain: true}"], ["teachers.base.pretrain: a finished teacher is not"]),
        ([SECOND, "teachers.second.pretrain=true"], ["second.pretrain: goes on from a checkpoint, and starts_from"]),
        ([SECOND, "teachers.second.fresh={width: 32}"], ["teachers.second.fresh: the teacher starts from 'base'"]),
        (
            ["teachers.words={preset: words, weight: 0}", SECOND, "teachers.second.starts_from=words"],
            ["'words' is of the family tfidf, which has no weights to start from"],
        ),
        (
            ["teachers.far={preset: base, labels: x.jsonl, weight: 0}", SECOND, "teachers.second.starts_from=far"],
            ["of 'far' there are only labels, no model"],
        ),
        (["students.small.rows=urlz"], ["students.small.rows: no such pool source 'urlz', did you mean 'urls'?"]),
        (["students.small.rows=[train, mails]"], ["no such pool source 'mails', known: all, pool, train, urls"]),
        (["students.small.rows=[]"], ["students.small.rows"]),
        (["teachers.base.pretrain=true", "pretrain={maskd: 0.2}"], ["pretrain.maskd: unknown", "'masked'"]),
        (
            ["students.bag={preset: bag, training: {layer_decay: 0.9}}"],
            ["bag.training.layer_decay: the family bag has"],
        ),
        (["students.bag={preset: bag, training: {head_dropout: 0.1}}"], ["bag.training.head_dropout: the head of"]),
        (["students.bag={preset: bag, training: {optimiser: muon}}"], ["bag.training.optimiser: the family bag has"]),
        (["teachers.base.training.layer_decay=0"], ["teachers.base.training.layer_decay"]),
        (["students.small.training.layer_decay=1.5"], ["students.small.training.layer_decay"]),
    ],
)
def test_mistakes_are_named(planted, sets, parts):
    with pytest.raises(UserError) as caught:
        experiment_of(planted, *sets)
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    assert caught.value.exit_code == 2


def test_rows_of_a_pool_that_is_not_there_are_named(planted, tmp_path):
    file = planted.with_name("no_pool.yaml")
    file.write_text(planted.read_text(encoding="utf-8").replace(", pool: {urls: pool.jsonl}", ""), encoding="utf-8")
    with pytest.raises(UserError, match=r"students\.small\.rows: there is no pool"):
        resolve_settings(file, tmp_path, sets=["students.small.rows=pool"])


def test_a_teacher_of_another_width_than_its_start_is_named_before_anything_is_made(planted, tmp_path):
    settings = resolve_settings(planted, tmp_path / "run", sets=[SECOND, "teachers.second.checkpoint=base"])
    for attempt in (outlook, lambda settings: execute_run(settings, Reporter(), "teach")):
        with pytest.raises(UserError, match="another encoder than its own checkpoint") as caught:
            attempt(settings)
        assert "'base' is of random weights, 'second' base (12 layers of width 128)" in str(caught.value)
    assert not (tmp_path / "run" / "records").exists()


def test_a_finished_teacher_may_be_started_from_where_the_encoder_is_of_its_size(planted, tmp_path):
    for width, refused in ((128, False), (64, True)):
        folder = toy_encoder(tmp_path / str(width), layers=12, width=width)
        sets = [
            f"teachers.done={{finished: {folder}, preset: base, weight: 0}}",
            SECOND,
            "teachers.second.checkpoint=base",
        ]
        settings = resolve_settings(planted, tmp_path / "run", sets=[*sets, "teachers.second.starts_from=done"])
        if refused:
            with pytest.raises(UserError, match=r"done' is .*64 \(12 layers of width 64\)"):
                require_equal_starts(settings)
        else:
            require_equal_starts(settings)


def test_all_views_of_those_that_start_from_a_teacher_are_tried_on_its_checkpoint(planted, tmp_path):
    long = ["views.long={left: [page.body], max_tokens: 600}", "teachers.second.view=long"]
    with pytest.raises(UserError, match="max_tokens 600, the encoder has 512 positions"):
        execute_run(resolve_settings(planted, tmp_path / "run", sets=[SECOND, *long]), Reporter(), "teach")


def test_the_rows_that_a_student_learns_are_those_that_it_names(planted):
    more = "data.pool={urls: pool.jsonl, mails: pool.jsonl}"
    for rows, splits in (
        ("all", ["train", "pool.mails", "pool.urls"]),
        ("pool", ["pool.mails", "pool.urls"]),
        ("train", ["train"]),
        ("urls", ["pool.urls"]),
        ("[train, mails]", ["train", "pool.mails"]),
    ):
        experiment = experiment_of(planted, more, f"students.small.rows={rows}")
        read = tuple(f"{split}.parquet" for split in ("valid", *splits))
        assert files(step(experiment, "train small")) == read, rows
        counts = {"train": 7, "pool.urls": 30, "pool.mails": 200, "valid": 5}
        assert experiment.learnt_splits(experiment.models["small"]) == splits
        training = experiment.settings.students["small"].training
        work = step(experiment, "train small").work(counts)
        assert work.steps == training.epochs * -(-sum(counts[name] for name in splits) // 4), rows
        assert files(step(experiment, "train small-gold")) == ("valid.parquet", "train.parquet")


def test_what_is_selected_of_the_pool_is_read_by_those_that_learn_the_pool(planted):
    for rows, read in (("pool", True), ("[train, urls]", True), ("train", False)):
        experiment = experiment_of(planted, "select={rows: 20}", f"students.small.rows={rows}")
        assert ("selection" in step(experiment, "train small").upstream) is read, rows


def test_a_source_of_the_pool_that_is_called_train_is_not_meant_by_train(planted):
    experiment = experiment_of(planted, "data.pool={train: pool.jsonl}", "students.small.rows=train")
    assert experiment.learnt_splits(experiment.models["small"]) == ["train"]


def test_rows_and_what_comes_before_leave_the_twin_as_it_is(planted):
    """A twin of its own length is the same model, whichever rows and source its student has."""
    plain = step(experiment_of(planted, "students.small.layers=2"), "train small-gold")
    for sets in (
        ["students.small.rows=pool"],
        ["students.first={preset: 4L, layers: 2}", "students.small.source=first"],
    ):
        other = step(experiment_of(planted, "students.small.layers=2", *sets), "train small-gold")
        assert {key: value for key, value in other.config.items() if key != "through"} == plain.config
        assert other.reads == plain.reads


def test_twins_start_where_the_first_of_the_chain_does_and_take_the_steps_of_all(planted):
    experiment = experiment_of(planted, *CHAIN, "labels=document")
    twin, equal = (experiment.models[f"c{suffix}"] for suffix in ("-gold", "-gold-steps"))
    assert step(experiment, "train c").upstream == ("records", "students/b", "labels/base")
    assert step(experiment, "train c-gold").upstream == ("records", "teachers/base")
    untouched = experiment_of(planted, *CHAIN, "students.a.init=pretrained")
    assert step(untouched, "train c-gold").upstream == ("records", "checkpoints/base")
    chain = ("records", "teachers/base", "students/a", "students/b", "students/c")
    assert step(experiment, "train c-gold-steps").upstream == chain
    assert twin.through == equal.through == ("a", "b") and equal.steps_of == ("a", "b", "c")
    assert step(experiment, "train c-gold").config["through"] == [["spread", 2], ["spread", 2]]
    assert "through" not in step(experiment, "train a-gold").config
    rows = {"train": 90, "pool.urls": 40, "valid": 7}
    works = {name: step(experiment, f"train {name}").work(rows) for name in ("a", "b", "c", "c-gold-steps")}
    assert works["c-gold-steps"].steps == sum(works[name].steps for name in "abc")
    assert works["c-gold-steps"].most_steps == sum(works[name].most_steps for name in "abc")


def test_students_that_name_what_they_learn_are_bundled(planted):
    experiment = experiment_of(planted, *CHAIN, "students.b.learns_from=[a]", "students.c.learns_from=[a, b]")
    made = [stage.step.name for stage in bundles(experiment)]
    assert made == ["bundle small", "bundle a", "bundle b", "bundle c"]


def test_an_adapted_encoder_is_made_once_and_is_what_all_start_from(planted):
    second = [SECOND, "students.small.init=pretrained", "students.small.source=second"]
    experiment = experiment_of(planted, *ADAPTED, *second)
    made = names(experiment)
    first = made.index("checkpoint base")
    assert made[first : first + 4] == ["checkpoint base", "collect pairs base", "pretrain base", "teach base@document"]
    assert made.count("pretrain base") == made.count("checkpoint base") == 1
    assert files(step(experiment, "collect pairs base")) == ("train.parquet", "pool.urls.parquet")
    assert step(experiment, "pretrain base").upstream == ("pairs/base", "checkpoints/base")
    for name, start in (
        ("teach base@document", "adapted/base"),
        ("teach base@card", "adapted/base"),
        ("teach second@document", "teachers/base"),
        ("train small", "adapted/base"),
        ("train small-gold", "adapted/base"),
    ):
        assert step(experiment, name).upstream[1] == start, name
    kept = [stage.step.name for stage in stages_until(list(plan(experiment)), "label")]
    assert kept.index("pretrain base") < kept.index("teach base@document")
    assert step(experiment, "pretrain base").work({"train": 90, "pool.urls": 40}).steps == 6


def test_an_estimate_adapts_on_few_rows_for_few_steps(planted, tmp_path):
    settings = resolve_settings(planted, tmp_path, sets=["teachers.base.pretrain=true", "pretrain={masked: 0.3}"])
    config = adapting(_shortened(settings, tmp_path), "base")
    assert (config.held_out, config.training.max_steps, config.masked) == (10, 4, 0.3)


class Steps(Reporter):
    """Notes each step and what became of it."""

    def __init__(self):
        self.made = {}

    def step_ends(self, name, status, seconds):
        self.made[name] = status


RUN = [
    *ADAPTED,
    "teachers.doc={preset: base, checkpoint: null, starts_from: base@card, weight: 0,"
    " training: {max_steps: 6, may_collapse: true}}",
    "teachers.base.training={epochs: 2, may_collapse: true}",
    "labels=document",
    "gates={teacher_over_priors: null}",
    "controls.gold_twins=false",
    "students={first: {preset: 4L, layers: 2, rows: pool, training: &t {epochs: 2, batch_size: 4, learning_rate: 5e-3,"
    " dropout: 0, precision: fp32, may_collapse: true}}, then: {preset: 4L, layers: 2, source: first, rows: train,"
    " training: *t}, last: {preset: 3L, layers: 1, source: then, learns_from: [then], training: *t}}",
]


@pytest.fixture(scope="module")
def made(planted, tmp_path_factory):
    """A run of an adapted teacher, one that starts from its card teacher, and a chain of three students."""
    settings = resolve_settings(planted, tmp_path_factory.mktemp("sequence") / "run", sets=RUN)
    watch = Steps()
    with reporting(watch):
        execute_run(settings, watch, "train")
    return settings, watch.made


def history(settings, artifact):
    return json.loads((settings.run / artifact / "training_history.json").read_text(encoding="utf-8"))


def test_a_chain_of_three_is_made_from_end_to_end_each_on_its_rows(made):
    settings, steps = made
    assert set(steps.values()) == {"done"}
    # 40 pool rows, 90 training rows, both: batches of 4, two epochs.
    taken = [history(settings, f"students/{name}")["steps"] for name in ("first", "then", "last")]
    assert taken == [2 * 10, 2 * 23, 2 * 33]
    assert len(layer_stack(load_classifier(settings.run / "students" / "last"))) == 1
    order = list(steps)
    assert (
        order.index("train first") < order.index("train then") < order.index("label then") < order.index("train last")
    )


def test_the_adapted_encoder_is_another_one_with_texts_of_training_and_pool_alone(made):
    settings, _ = made
    before, after = (load_classifier(settings.run / place / "base", ["0", "1"]) for place in ("checkpoints", "adapted"))
    assert not same_weights(before.base_model, after.base_model)
    assert history(settings, "adapted/base")["steps"] == 6
    sides = [" ".join(pair.left) for pair in read_pairs(settings.run / "pairs" / "base")]
    kinds = {side.split()[1] for side in sides}
    assert len(sides) == 130 and kinds == {"train", "pool"}


def test_a_second_start_does_nothing(made):
    settings, _ = made
    watch = Steps()
    with reporting(watch):
        execute_run(settings, watch, "train")
    assert set(watch.made.values()) == {"skipped"}


def test_what_a_model_starts_from_is_in_its_fingerprint(made):
    """More steps of the adaptation redo what starts from it."""
    settings, _ = made
    experiment = Experiment(settings)
    assert "adapted/base" in fit_step(experiment, experiment.models["base"]).upstream
    assert "teachers/base@card" in fit_step(experiment, experiment.models["doc"]).upstream


def test_texts_are_collected_anew_where_a_file_moves_from_one_source_to_another(planted, tmp_path):
    texts = {name: {"root": str(tmp_path), "files": f"{name}*.jsonl", "left": ["title"]} for name in "ab"}
    config = PretrainConfig.model_validate({"texts": texts})

    def collected():
        steps = pretraining_steps(experiment_of(planted), config)
        (found,) = [step for step in steps if step.name == "collect pairs"]
        return found.config, [path.read_text() for path in found.files]

    for name in ("a1", "a2", "b3"):
        (tmp_path / f"{name}.jsonl").write_text(name)
    before, files = collected()
    (tmp_path / "a2.jsonl").rename(tmp_path / "b2.jsonl")
    assert files == ["a1", "a2", "b3"] == collected()[1] and collected()[0] != before
