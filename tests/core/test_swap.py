"""Tasks that compare: what a project may declare of them, and how views render the texts that are compared."""

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from distill.core.config import parse
from distill.core.errors import UserError
from distill.core.project import Project, ViewConfig
from distill.core.rendering import Renderer, swapped
from distill.core.swap import ViewSwap
from distill.pipeline.task_labels import labelled

SWAP = {"fields": [["answer.a", "answer.b"]], "labels": [["A", "B"]]}
VIEW = {
    "left": ["prompt"],
    "right": ["answer.a", "answer.b"],
    "prefixes": {"answer.a": "A: ", "answer.b": "B: "},
    "budgets": {"answer.a": 3},
    "max_tokens": 16,
}
ROW = {"prompt": "why so", "answer": {"a": "one two three four", "b": "five six seven eight nine"}}


def project(swap=None, views=None, labels=("A", "B", "tie")):
    values = {
        "task": {"labels": list(labels), "swap": SWAP if swap is None else swap},
        "data": {"train": "train.jsonl", "test": {"unseen": "test.jsonl"}},
        "views": {"document": VIEW, "card": VIEW, **(views or {})},
    }
    return parse(Project, values, "project.yaml")


@pytest.fixture(scope="module")
def words():
    names = ["[PAD]", "[UNK]", "A:", "B:", "|", "why", "so", *"one two three four five six seven eight nine".split()]
    tokenizer = Tokenizer(models.WordLevel({name: index for index, name in enumerate(names)}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return tokenizer


def test_every_view_knows_the_swap_and_the_order_of_the_classes():
    found = project()
    assert len(found.views) == 2
    for view in found.views.values():
        assert view.swap == ViewSwap(fields=[["answer.a", "answer.b"]], order=[1, 0, 2])
    assert project(labels=("tie", "B", "A")).views["card"].swap.order == [0, 2, 1]
    assert project({"fields": SWAP["fields"]}).views["card"].swap.order == [0, 1, 2]
    assert project({**SWAP, "average": False}).views["card"].swap.average is False
    # What is written down of a project can be read again.
    assert parse(Project, found.as_json(), "run") == found


@pytest.mark.parametrize(
    ("swap", "views", "message"),
    [
        ({**SWAP, "labels": [["A", "C"]]}, {}, "task.swap.labels: 'C' is not among the labels"),
        ({**SWAP, "labels": [["A", "A"]]}, {}, "task.swap.labels: 'A' is named twice"),
        ({**SWAP, "labels": [["A", "B"], ["B", "tie"]]}, {}, "task.swap.labels: 'B' is named twice"),
        ({"fields": [["answer.a", "answer.b"], ["answer.b", "prompt"]]}, {}, "task.swap.fields: 'answer.b' is named"),
        ({"fields": [["answer.a", "answer.c"]]}, {}, "views.card: does not read 'answer.c' of task.swap.fields"),
        (
            SWAP,
            {"short": {"left": ["prompt"], "max_tokens": 9}},
            "views.short: does not read 'answer.a' of task.swap.fields",
        ),
        (
            SWAP,
            {"card": {**VIEW, "swap": {"fields": [["prompt", "answer.a"]], "order": [0, 1, 2]}}},
            "views.card.swap: is set by task.swap",
        ),
    ],
)
def test_what_cannot_be_exchanged_is_named(swap, views, message):
    with pytest.raises(UserError) as caught:
        project(swap, views)
    assert message in str(caught.value) and caught.value.exit_code == 2


def test_a_view_has_no_swap_of_its_own():
    with pytest.raises(UserError, match="views.card.swap: is set by task.swap"):
        own = {**VIEW, "swap": {"fields": SWAP["fields"], "order": [1, 0, 2]}}
        values = project().as_json() | {"task": {"labels": ["A", "B", "tie"]}, "views": {"document": VIEW, "card": own}}
        parse(Project, values, "project.yaml")


def test_labels_that_train_decides_may_be_exchanged(tmp_path):
    rows = [f'{{"id": "{n}", "label": "{label}", "prompt": "p"}}' for n, label in enumerate(["A", "B", "tie"] * 2)]
    for name in ("train", "test"):
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows), encoding="utf-8")
    values = project().as_json()
    values["views"] = {name: {**view, "swap": None} for name, view in values["views"].items()}
    values["data"] |= {"root": str(tmp_path), "id": "id", "label": "label"}
    found = labelled(values | {"task": {"labels": "auto", "swap": SWAP}}, "project.yaml")
    assert parse(Project, found, "project.yaml").views["card"].swap.order == [1, 0, 2]


def test_a_record_is_exchanged_flat_or_nested_and_what_is_missing_moves_too():
    pairs = SWAP["fields"]
    flat = {"answer.a": "one", "answer.b": "two"}
    assert swapped(flat, pairs) == {"answer.a": "two", "answer.b": "one"}
    nested = swapped({"answer": {"a": "one"}, "prompt": "why"}, pairs)
    render = ViewConfig(left=["prompt"], right=["answer.a", "answer.b"], max_tokens=9)
    assert (nested["answer.a"], nested["answer.b"], nested["prompt"]) == ("", "one", "why")
    assert swapped(swapped(ROW, pairs), pairs)["answer.a"] == ROW["answer"]["a"] and render.fields[0] == "prompt"


def test_a_prefix_stands_before_a_text_and_outside_of_its_budget(words):
    renderer = Renderer(VIEW, words)
    assert renderer.text(ROW) == ("why so", "A: one two three | B: five six seven eight nine")
    assert renderer.text({"answer": {"a": "", "b": "six"}}) == ("", "B: six")
    found = renderer.encode(ROW)
    assert (found.tokens, found.cut_tokens) == (2 + 4 + 1 + 5 + 2, 1)


def test_the_exchanged_view_reads_a_record_as_the_view_reads_the_exchanged_record(words):
    view = project().views["card"]
    own, other = (Renderer(one.as_json(), words) for one in (view, view.exchanged))
    assert other.text(ROW) == own.text(swapped(ROW, view.swap.fields)) != own.text(ROW)
    assert other.text(ROW)[1] == "A: five six seven | B: one two three four"
    assert other.encode(ROW) == own.encode(swapped(ROW, view.swap.fields))
    assert view.exchanged.exchanged == view
