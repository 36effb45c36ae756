"""A cascade: what each stage says, which one a row goes to, thresholds, stages that cannot be asked."""

import json
import shutil

import numpy as np
import pytest

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.files import write_json
from distill.core.label_space import LabelSpace
from distill.core.objectives.objective import objective
from distill.core.progress import reporting
from distill.core.record_store import read_records
from distill.core.sheets.sheet import write_sheet
from distill.core.soft_labels import read_soft_labels, shard_path
from distill.core.staged import read_staged
from distill.evaluation.metrics import log_loss
from distill.families.cascade import Cascade
from distill.families.family import DEFAULT, family_of, fit
from distill.families.stages.keywords import Keywords, words_of
from distill.families.stages.stage import Answers, Classes, Stage
from distill.families.stages.zero_shot import ZeroShot
from distill.inference.vector_runner import VectorRunner
from distill.pipeline.entries import teacher_entry
from distill.training.joining import Share
from distill.training.learnt_rows import Labels, soft_rows
from teachers.config import LabellingConfig
from teachers.coverage import coverage_lines, write_coverage
from teachers.label import label
from tests.families.lessons import toy_lesson
from tests.http_server import NONSENSE, serving
from tests.models.folders import edit_config
from tests.training.toy import DOCUMENT, LABELS, SPACE, Watch

WORDS = {"мимо": ["РЕМОНТ*"], "рядом": {"Аналог": 2.0}}
FIRST = {"stage": "keywords", "threshold": 0.5}
SERVER = {"model": "м", "tries": 1, "back_off_s": 0.01, "spend": {"per_million_input": 1e4}}


class Down(Stage):
    """A server that is down."""

    name = "down"
    url = ""

    def ask(self, rows, texts):
        raise UserError("the server does not answer", found="503")


class Third(Stage):
    """Always sure of the last class; each row costs a request."""

    name = "third"

    def ask(self, rows, texts):
        return Answers(np.tile([0.0, 0.1, 0.9], (len(rows), 1)), len(rows), 0.5 * len(rows))


DOWN, THIRD = (f"{__name__}:{name}" for name in ("Down", "Third"))


def _entry(stages, **more):
    return teacher_entry("cascade", {"stages": stages, "keywords": WORDS, **more}, "project.yaml", None)


def _fitted(folder, records, stages, places=(), answers=None, **more):
    folder.mkdir()
    known = {str(place): place for place in places}
    lesson = toy_lesson(records, DOCUMENT, "document", places=known, answers=answers)
    fit("cascade", _entry(stages, **more), lesson, folder)
    return folder


def _taught(run, records, stages, **more):
    """As `_fitted`, in a run that says how servers are asked."""
    (run / "teachers").mkdir(parents=True)
    entries = {"teachers": {"cascade": _entry(stages).as_json()}}
    write_json(run / "run.json", {"config": entries, "stages": []})
    return _fitted(run / "teachers" / "cascade", records, stages, **more)


def _labels(model, records, folder, rows=10):
    folder.mkdir(exist_ok=True)
    label(LabellingConfig(shard_rows=rows, precision="fp32"), model, records, 1, folder)
    return read_soft_labels(folder), read_staged(folder)[1]


def _keywords(words, **settings):
    classes = Classes.of(SPACE, parse(Cascade.Settings, {"stages": [FIRST], "keywords": words}, "x").keywords, {})
    return Keywords(Keywords.Settings(stage="keywords", **settings), classes, None, DEFAULT)


def test_words_are_matched_whole_in_any_case_and_with_or_without_accents():
    asked = _keywords({"мимо": ["ёлка"], "рядом": ["café noir", "банк"], "точно": {"invest*": 3.0}})
    texts = ["Ёлка, елка!", "a CAFE  noir", "банковский банк", "Investing; reinvest", "ничего"]
    shares = asked.ask([], texts).chances * np.array([[3.5], [2.5], [2.5], [4.5], [1.5]])
    np.testing.assert_allclose(
        shares, [[2.5, 0.5, 0.5], [0.5, 1.5, 0.5], [0.5, 1.5, 0.5], [0.5, 0.5, 3.5], [0.5, 0.5, 0.5]]
    )


def test_endings_with_accents_are_cut_before_the_accents_go():
    endings = ("ый", "ая", "ей", "ть", "ión")
    words = "Бесплатный беспла\u0301тная шестей шесть Ёлки élevé nación"
    cut = words_of(words, lambda word: next((word.removesuffix(one) for one in endings if word.endswith(one)), word))
    assert cut == ["бесплатн", "бесплатн", "шест", "шес", "елки", "eleve", "nac"]
    assert words_of("ёлка", lambda word: word.replace("ел", "ель")) == ["елька"] and words_of("край é") == ["краи", "e"]


def test_endings_are_cut_by_the_package_where_it_is_there(monkeypatch):
    assert words_of("Ремонты invest*", str.upper) == ["РЕМОНТЫ", "INVEST"]
    monkeypatch.setitem(__import__("sys").modules, "snowballstemmer", None)
    with pytest.raises(UserError, match="pip install snowballstemmer"):
        _keywords({}, stemmer="russian")


@pytest.fixture(scope="module")
def nli(encoder, tmp_path_factory):
    """A classifier of entailment with random weights."""
    folder = tmp_path_factory.mktemp("nli") / "model"
    from distill.models.encoder import load_classifier

    load_classifier(encoder, ("contradiction", "entailment", "neutral")).save_pretrained(folder)
    shutil.copyfile(encoder / "tokenizer.json", folder / "tokenizer.json")
    return folder


def test_zero_shot_is_the_softmax_of_entailment_over_sentences(nli, records):
    from distill.models.encoder import load_classifier
    from tests.training.toy import toy_view

    classes = Classes.of(SPACE, {}, {"точно": "ключ"})
    asked = ZeroShot(ZeroShot.Settings(stage="zero_shot", hypothesis="купить {}"), classes, nli, DEFAULT)
    found = asked.ask([], ["дрель пила", "насос"]).chances
    model, view = load_classifier(nli), toy_view(nli)
    import torch

    rows = [{"product.title": "насос", "page.title": f"купить {name}"} for name in ("мимо", "рядом", "ключ")]
    windows = [one.windows[0] for one in view.renderer().encode_batch(rows)]
    with torch.inference_mode():
        logits = [
            model(torch.tensor([one.ids]), token_type_ids=torch.tensor([one.type_ids])).logits[0, 1] for one in windows
        ]
    np.testing.assert_allclose(found[1], torch.stack(logits).softmax(0), atol=1e-5)


def test_a_vector_is_the_mean_of_the_states_whatever_shares_the_batch(encoder):
    runner = VectorRunner(encoder)
    ids, mask = np.array([[2, 7, 9, 3], [2, 8, 3, 0]]), np.array([[1, 1, 1, 1], [1, 1, 1, 0]])
    both = runner.logits({"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)})
    one = {"input_ids": ids[1:, :3], "attention_mask": mask[1:, :3], "token_type_ids": np.zeros((1, 3), np.int64)}
    np.testing.assert_allclose(both[1], runner.logits(one)[0], atol=1e-6)
    assert both.shape == (2, 16) and np.abs(both[0] - both[1]).max() > 1e-3


@pytest.fixture(scope="module")
def three(records, encoder, tmp_path_factory):
    """A cascade with a stage that is down, one of embeddings and one that takes the rest; its labels."""
    folder = tmp_path_factory.mktemp("three")
    stages = [
        FIRST,
        {"stage": DOWN, "threshold": 0.1, "on_error": "go_on"},
        {"stage": "embeddings", "model": str(encoder), "threshold": 0.999},
        {"stage": THIRD, "threshold": 0.9},
    ]
    model = _fitted(folder / "model", records, stages, [encoder])
    return model, *_labels(model, records, folder / "labels")


def test_each_row_goes_to_the_first_stage_that_is_sure(three, records):
    _, labels, staged = three
    signs = [number % 3 for number in [*range(24), *range(18)]]
    assert staged.stage == [("keywords", "keywords", "Third")[sign] for sign in signs] and set(labels.status) == {"ok"}
    assert labels.logits.argmax(axis=1).tolist() == signs
    chances = SPACE.objective.probabilities(labels.logits)
    np.testing.assert_allclose(chances[0], [0.6, 0.2, 0.2], atol=1e-6)
    np.testing.assert_allclose(chances.max(axis=1), staged.confidence, atol=1e-6)
    assert log_loss(labels.logits[:24], np.eye(3)[signs[:24]]) < 0.5


def test_what_cannot_be_asked_is_passed_by_name_and_everything_is_counted(three, records):
    _, _, staged = three
    cost = staged.costs
    assert list(cost) == ["keywords", "Down", "embeddings", "Third"]
    assert cost["Down"].errors == {"the server does not answer (503)": 14} and not cost["Down"].asked
    assert (cost["keywords"].asked, cost["keywords"].taken, cost["Third"].requests) == (42, 28, 14)
    assert cost["Third"].money == 7.0 and cost["embeddings"].asked == 14 and cost["embeddings"].seconds > 0


def test_coverage_has_the_accuracy_of_each_stage_on_gold_rows(three, records):
    model, labels, _ = three
    folder, watch = model.parent / "labels", Watch()
    with reporting(watch):
        found = write_coverage(folder, records, SPACE)
    stages = {one["stage"]: one for one in found["stages"]}
    assert (stages["keywords"]["rows"], stages["keywords"]["gold_rows"]) == (28, 16)
    assert stages["keywords"]["accuracy"]["value"] == 1 and 0.7 < stages["keywords"]["accuracy"]["low"] < 0.9
    assert stages["Down"]["accuracy"]["value"] is None and found["unlabelled"] == 0
    assert [one["rows"] for one in found["classes"]] == [14, 14, 14]
    assert json.loads((folder / "coverage.json").read_text(encoding="utf-8")) == found
    assert "14 rows went past it: the server does not answer (503)" in " ".join(watch.notes)


def test_of_many_classes_the_largest_are_told_and_some_of_those_without_a_label():
    rows = [0] * 100 + [*range(50, 0, -1)]
    classes = [{"label": f"c{at}", "rows": count, "share": count / sum(rows)} for at, count in enumerate(rows)]
    [line] = coverage_lines({"rows": 1275, "stages": [], "classes": classes, "unlabelled": 0})
    assert line.startswith("labels by class: c100 3.9%, c101 3.8%, c102 3.8%, c103 3.7%, c104 3.6%, these the largest")
    assert line.endswith("of 150, none of c0, c1, c2, c3, c4 and 95 more")


def test_a_shard_that_is_missing_is_labelled_again_alike(three, records):
    model, labels, staged = three
    folder = model.parent / "labels"
    shard_path(folder, 1).unlink()
    again, after = _labels(model, records, folder)
    assert again.ids == labels.ids and np.array_equal(again.logits, labels.logits) and after.stage == staged.stage


@pytest.mark.parametrize(("rest", "status", "stage"), [("unlabelled", "unlabelled", ""), ("guess", "ok", "guess")])
def test_what_is_left_has_no_label_or_the_last_guess(rest, status, stage, records, tmp_path):
    model = _fitted(tmp_path / "model", records, [{"stage": "keywords", "threshold": 0.65}], rest=rest)
    labels, staged = _labels(model, records, tmp_path / "labels", 50)
    assert labels.status[:3] == [status, "ok", status] and staged.stage[:3] == [stage, "keywords", stage]
    assert labels.logits[0].argmax() == 0  # predictions have its guess in any case


def test_a_stage_that_is_down_stops_the_run_where_that_is_asked(records, tmp_path):
    model = _fitted(tmp_path / "model", records, [{"stage": DOWN, "threshold": 0.5}])
    with pytest.raises(UserError, match="the server does not answer"):
        _labels(model, records, tmp_path / "labels")
    assert not shard_path(tmp_path / "labels", 0).exists()


def _asking(server, **changes):
    return {"stage": "language_model", "threshold": 0.8, "server": {**SERVER, "url": server.url, **changes}}


def test_a_language_model_is_asked_what_no_stage_before_was_sure_of(records, tmp_path):
    with serving({"купить": {"точно": 0.9, "мимо": 0.06, "рядом": 0.04}}, always={"купить пила": NONSENSE}) as server:
        stages = [FIRST, _asking(server, examples=3, max_failed=1.0)]
        model = _taught(tmp_path / "run", records, stages, answers=tmp_path / "answers.sqlite")
        watch = Watch()
        with reporting(watch):
            labels, staged = _labels(model, records, tmp_path / "labels")
        asked = len(server.asked)
        assert not [line for line in watch.notes if "texts answered" in line]  # not of every piece of 64
        shutil.rmtree(tmp_path / "labels")
        again, repeated = _labels(model, records, tmp_path / "labels")
    cost, left = staged.costs["language_model"], labels.status.count("unlabelled")
    # The thing пила comes with the sign of the third class twice, and of these rows the server says nothing.
    assert 0 < left < 14 and staged.stage.count("language_model") == 14 - left and cost.errors == {"no answer": left}
    assert "Answer: точно" in server.prompts[0] and "ремонт" in server.prompts[0]
    # Texts of training and pool rows are the same: each is asked and paid once.
    assert 0 < cost.requests <= asked < 14 and cost.money == pytest.approx(cost.requests * 50 * 1e4 / 1e6)
    assert again.status == labels.status and np.array_equal(again.logits, labels.logits)
    assert repeated.costs["language_model"].requests < cost.requests and server.asked[asked:]
    np.testing.assert_allclose(staged.confidence[2], 0.9, atol=1e-6)


def test_a_server_that_is_down_stops_the_run_or_is_passed(records, tmp_path):
    stage = _asking(Down, url="http://127.0.0.1:9/v1")
    with pytest.raises(UserError, match="the stage language_model cannot be asked: the server does not answer"):
        _labels(_taught(tmp_path / "a", records, [FIRST, stage]), records, tmp_path / "labels")
    going = {**stage, "on_error": "go_on"}
    model = _taught(tmp_path / "b", records, [FIRST, going, {"stage": THIRD, "threshold": 0.9}])
    _, staged = _labels(model, records, tmp_path / "more", 50)
    assert set(staged.stage) == {"keywords", "Third"} and sum(staged.costs["language_model"].errors.values()) == 14
    assert family_of(model).is_remote_at(model) and not family_of(model).remote


def test_a_plan_that_is_only_timed_asks_nobody(records, tmp_path):
    entry = _entry([FIRST, _asking(Down, url="http://127.0.0.1:9/v1", key_from="NOT_SET")])
    own = Cascade()
    assert own.is_remote(entry) and not own.is_remote(_entry([FIRST])) and own.for_timing(_entry([FIRST]))
    assert own.asks(_entry([FIRST, _asking(Down, url="http://a/v1", examples=2)]), ["train"]) == ["train"]
    told = own.outlay(entry, toy_lesson(records, DOCUMENT, "document"), ["train"])
    assert told.startswith("at most 24 requests") and own.outlay(_entry([FIRST]), None, []) is None
    (tmp_path / "model").mkdir()
    entry = entry.model_copy(update=own.for_timing(entry))
    fit("cascade", entry, toy_lesson(records, DOCUMENT, "document"), tmp_path / "model")
    _, staged = _labels(tmp_path / "model", records, tmp_path / "labels", 50)
    assert staged.costs["language_model"].asked == 14 and not staged.costs["language_model"].errors


def test_a_plan_that_is_only_timed_labels_its_few_rows_whatever_thresholds_are_chosen_by(records, tmp_path):
    entry = _entry([{"stage": "keywords"}, {"stage": THIRD, "precision": 0.95}], calibrate="gone.csv")
    entry = entry.model_copy(update=Cascade().for_timing(entry))
    assert [one.threshold for one in entry.stages] == [0.9, 0.95] and not Cascade().files(entry)
    (tmp_path / "model").mkdir()
    fit("cascade", entry, toy_lesson(records, DOCUMENT, "document"), tmp_path / "model")
    labels, staged = _labels(tmp_path / "model", records, tmp_path / "labels", 50)
    assert set(labels.status) == {"ok"} and set(staged.stage) == {"guess"}


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    """Records with validation rows enough to choose thresholds on."""
    from tests.training.toy import write_toy

    return write_toy(tmp_path_factory.mktemp("many"), valid=240, train=60)


def test_thresholds_are_chosen_on_validation_and_no_test_is_opened(many, tmp_path):
    (many / "test.seen.parquet").write_bytes(b"opening this would fail")
    stages = [{"stage": "keywords"}, {"stage": THIRD, "precision": 0.5}]
    own = json.loads((_fitted(tmp_path / "model", many, stages) / "config.json").read_text(encoding="utf-8"))["distill"]
    first, second = own["stages"]
    # Two classes of three are told by their words: at 0.6 and 0.714 all are right, at 1/3 the third class is not.
    assert first["threshold"] == pytest.approx(0.6) and first["chosen"]["taken"] == first["chosen"]["right"] == 160
    assert second["chosen"]["rows"] == 80 and second["chosen"]["wanted"] == 0.5 and second["threshold"] == 0.9


def test_no_stage_after_the_last_choice_is_asked_for_it(many, tmp_path):
    model = _fitted(tmp_path / "model", many, [{"stage": "keywords"}, {"stage": DOWN, "threshold": 0.5}])
    with pytest.raises(UserError, match="the stage Down cannot be asked") as caught:
        _labels(model, many, tmp_path / "labels", 100)
    assert "on_error: go_on" in str(caught.value)


def test_a_stage_without_a_sure_threshold_labels_nothing_and_says_so(many, tmp_path):
    watch = Watch()
    with reporting(watch):
        model = _fitted(tmp_path / "model", many, [{"stage": THIRD}, {"stage": "keywords"}], precision=0.8)
    assert "stage Third labels nothing" in watch.notes[0] and "stage keywords: threshold" in watch.notes[1]
    _, staged = _labels(model, many, tmp_path / "labels", 100)
    assert "Third" not in staged.stage and staged.costs["Third"].errors == {"no threshold is precise enough": 78}


def test_where_no_stage_is_sure_no_row_has_a_label_and_predictions_are_the_last_guess(many, tmp_path):
    model = _fitted(tmp_path / "model", many, [{"stage": "keywords"}, {"stage": THIRD}], precision=0.99)
    rows = [record.fields for record in read_records(many, "valid")]
    assert (family_of(model).open(model).score(rows).logits.argmax(axis=1) == 2).all()
    labels, staged = _labels(model, many, tmp_path / "labels", 100)
    assert "ok" not in labels.status and set(staged.stage) == {""}
    assert all("no threshold is precise enough" in cost.errors for cost in staged.costs.values())
    with pytest.raises(UserError, match=r"no usable soft labels[\s\S]*rows: 78 unlabelled") as caught:
        soft_rows(many, Labels({tmp_path / "labels": Share()}), SPACE, tmp_path)
    assert "rest: guess" in str(caught.value.do)


def test_named_rows_choose_instead_and_those_of_a_test_are_refused(many, tmp_path):
    rows = read_records(many, "train")
    sheet = tmp_path / "sheet.csv"
    filled = [{"id": row.id, "label": LABELS[row.target.argmax()]} for row in rows]
    write_sheet(sheet, ["id", "label", "note"], [*filled, {"id": "п1"}])
    own = json.loads(
        (
            _fitted(tmp_path / "model", many, [{"stage": "keywords"}], calibrate=str(sheet), precision=0.8)
            / "config.json"
        ).read_text(encoding="utf-8")
    )["distill"]["stages"][0]
    assert own["chosen"]["rows"] == 60 and own["threshold"] == pytest.approx(0.6)
    jsonl = tmp_path / "rows.jsonl"
    jsonl.write_text("\n".join(json.dumps(row) for row in filled[:9]), encoding="utf-8")
    few = _fitted(tmp_path / "few", many, [{"stage": "keywords"}], calibrate=str(jsonl))
    assert '"rows": 9' in (few / "config.json").read_text(encoding="utf-8")
    for text, message in (
        ("э0,мимо", "no training or pool row"),
        ("т0,нет", "unknown label"),
        ("т0,", "no row has"),
        (",мимо", "without id"),
        ("т0,мимо\nт0,мимо", "duplicate id"),
    ):
        sheet.write_text(f"id,label\n{text}\n", encoding="utf-8")
        with pytest.raises(UserError, match=message):
            _fitted(tmp_path / f"refused {message}", many, [{"stage": "keywords"}], calibrate=str(sheet))
    jsonl.write_text('{"id": 0, "label": "мимо"}', encoding="utf-8")
    with pytest.raises(UserError, match="no training or pool row"):  # 0 is an id
        _fitted(tmp_path / "zero", many, [{"stage": "keywords"}], calibrate=str(jsonl))


def test_it_reads_what_its_settings_need_and_nothing_else():
    auto, given = [{"stage": "keywords"}], [FIRST]
    own, named = Cascade(), {"calibrate": "sheet.csv"}
    assert own.asks(_entry(auto), ["train", "pool.urls"]) == ["valid"] and own.asks(_entry(given), ["train"]) == []
    assert own.asks(_entry(auto, **named), ["train", "pool.urls"]) == ["train", "pool.urls"]
    assert [str(path) for path in own.files(_entry(auto, **named))] == ["sheet.csv"]
    assert own.places(_entry([*auto, {"stage": "embeddings", "model": "base"}])) == ["base"]


def test_what_does_not_go_with_the_task_is_named_before_anything_is_made():
    server = {**SERVER, "url": "http://localhost:1/v1", "words": {"да": "yes"}}
    entry = _entry([FIRST, {"stage": "language_model", "server": server}], names={"мима": "x"})
    assert list(Cascade().problems(entry, SPACE)) == [
        "names.мима: unknown label, did you mean 'мимо'?",
        "stages.1.server.words: unknown label 'да', known: мимо, рядом, точно",
    ]
    several = LabelSpace(LABELS, objective("multi", 3))
    assert "one label" in next(Cascade().problems(_entry([FIRST]), several))


def test_the_order_of_the_stages_is_part_of_what_it_depends_on():
    one, other = {"stage": "keywords"}, {"stage": "zero_shot", "model": "a/b"}
    assert _entry([one, other]).fit_settings() != _entry([other, one]).fit_settings()


def test_how_a_server_is_asked_is_no_part_of_it(records, tmp_path):
    ways = {"parallel": 2, "tries": 5, "key_from": None, "max_failed": 0.5, "spend": {"per_million_input": 2}}
    one, other = (_asking(Down, url="http://a/v1", **more) for more in ({}, ways))
    assert _entry([one]).fit_settings() == _entry([other]).fit_settings()
    assert _entry([one]).fit_settings() != _entry([_asking(Down, url="http://a/v1", max_tokens=3)]).fit_settings()
    folders = [_fitted(tmp_path / name, records, [stage]) for name, stage in (("one", one), ("other", other))]
    assert len({(folder / "config.json").read_bytes() for folder in folders}) == 1


@pytest.mark.parametrize(
    ("stages", "more", "message"),
    [
        ([], {}, "stages"),
        ([{"stage": "keyword"}], {}, "did you mean 'keywords'"),
        ([{"threshold": 0.5}], {}, "stage: missing"),
        ([{"stage": "keywords", "threshold": 0}], {}, "threshold"),
        ([{"stage": "keywords", "precision": 1.0}], {}, "precision"),
        ([{"stage": "keywords", "on_error": "skip"}], {}, "on_error"),
        ([{"stage": "keywords", "model": "base"}], {}, "model: unknown"),
        ([{"stage": "keywords", "stemmer": 5}], {}, "stemmer"),
        ([{"stage": "zero_shot", "hypothesis": "about it"}], {}, "must stand once"),
        ([{"stage": "zero_shot", "max_tokens": 1}], {}, "max_tokens"),
        ([{"stage": "embeddings", "temperature": 0}], {}, "temperature"),
        ([{"stage": "embeddings", "model": 5}], {}, "model"),
        ([FIRST], {"keywords": {"мимо": []}}, "keywords.мимо"),
        ([FIRST], {"keywords": {"мимо": {"слово": 0}}}, "keywords.мимо"),
        ([FIRST], {"names": {"мимо": 5}}, "names.мимо"),
        ([FIRST], {"precision": 0}, "precision"),
        ([FIRST], {"calibrate": 5}, "calibrate"),
        ([FIRST], {"rest": "drop"}, "rest"),
    ],
)
def test_a_bad_value_is_refused_by_name(stages, more, message):
    with pytest.raises(UserError, match="(?s)project.yaml|" + message) as caught:
        _entry(stages, **more)
    assert message in str(caught.value)


def test_a_model_that_cannot_serve_a_stage_is_refused_when_it_is_fitted(records, encoder, tmp_path):
    stage = {"stage": "zero_shot", "model": str(encoder), "threshold": 0.5}
    with pytest.raises(UserError, match="no model of natural language inference"):
        _fitted(tmp_path / "a", records, [stage], [encoder])
    with pytest.raises(UserError, match="no model is named"):
        _fitted(tmp_path / "b", records, [{"stage": "embeddings", "threshold": 0.5}])
    going = _fitted(tmp_path / "d", records, [{**stage, "on_error": "go_on"}, FIRST], [encoder])
    assert family_of(going).facts(going).parameters > 0
    edit_config(going)
    assert _labels(going, records, tmp_path / "labels", 50)[1].stage[0] == "keywords"
