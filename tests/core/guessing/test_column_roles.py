"""Which column is the id, the label or text, also where no name says so, and where the files have no names at all."""

import gzip

import pytest

from distill.core.errors import UserError
from distill.core.guessing.starter import guess, starter_yaml
from tests.core.record_fixtures import write


def guessed(root, lines):
    return guess([write(root / f"{name}.jsonl", lines) for name in ("train", "test")], root)


def test_a_file_that_is_left_out_has_no_say_in_the_id(tmp_path):
    texts = {name: [f"{name} ёж {i}" for i in range(40)] for name in ("train", "test")}
    written = {
        "train": ["Id,Text,Category", *(f"{i},{text},{'абв'[i % 3]}" for i, text in enumerate(texts["train"]))],
        "test": ["Id,Text", *(f"{100 + i},{text}" for i, text in enumerate(texts["test"]))],
        "sample_submission": ["Id,Category", *(f"{100 + i},а" for i in range(40))],
    }
    for name, lines in written.items():
        (tmp_path / f"{name}.csv").write_text("\n".join(lines), encoding="utf-8")
    starter = guess([tmp_path / f"{name}.csv" for name in written], tmp_path)
    assert starter.id == "Id" and starter.without_text == {"sample_submission.csv": "views.document.left"}
    assert list(starter.files) == ["train", "pool"] and sum(starter.counts.values()) == 40
    assert guess([tmp_path / "sample_submission.csv", tmp_path / "train.csv"], tmp_path).files.keys() == {"train"}


def test_a_code_of_each_row_is_no_text(tmp_path):
    lines = [
        {"код": f"банк-{i:05}-а", "адрес": f"https://a.b/{i}", "text": f"ёж номер {i}", "label": i % 2}
        for i in range(60)
    ]
    starter = guessed(tmp_path, lines)
    assert starter.document == (["адрес", "text"], []) and starter.left_out == {"код": "one code per row"}


def test_columns_named_in_russian_are_known(tmp_path):
    lines = [
        {"ид": f"б-{i}", "Твит": f"ёж номер {i}", "Тональность": i % 3 - 1, "домен": ["банк", "связь"][i % 2]}
        for i in range(60)
    ]
    starter = guessed(tmp_path, lines)
    assert (starter.id, starter.label, starter.slice) == ("ид", "Тональность", "домен")
    assert starter.document == (["Твит"], []) and starter.other_labels == {}


def test_a_label_that_is_not_known_by_name_is_to_be_checked_beside_the_others_that_it_may_be(tmp_path):
    lines = [{"v1": "аб"[i % 2], "v2": f"ёж номер {i}", "v3": i % 5, "v4": i % 3} for i in range(60)]
    starter = guessed(tmp_path, lines)
    assert starter.label == "v1" and starter.other_labels == {"v4": 3, "v3": 5}
    said = '# (?) No column is named like a label. This one has the fewest values, others with their number: "v4" (3)'
    assert said in starter_yaml(starter)
    alone = guessed(tmp_path, [{"v1": line["v1"], "v2": line["v2"]} for line in lines])
    assert '  # (?) No column is named like a label. This one has the fewest values.\n  label: "v1"' in starter_yaml(
        alone
    )
    named = guessed(tmp_path, [{"label": line["v1"], "v2": line["v2"], "v3": line["v3"]} for line in lines])
    assert "named like a label" not in starter_yaml(named)


@pytest.mark.parametrize(
    ("columns", "label", "others"),
    [
        ({"Target": 5, "Stance": 3}, "Stance", ["Target"]),
        ({"channel": 4, "category": 6, "intent": 9}, "intent", ["category"]),
        ({"категория": 5, "тональность": 3, "оценка": 5}, "тональность", ["категория", "оценка"]),
        ({"category": 5, "is_relevant": 2}, "is_relevant", ["category"]),
        ({"label": 3, "sentiment": 2}, "label", ["sentiment"]),
        ({"is_html": 2, "category": 4}, "category", ["is_html"]),
        ({"is_verified": 2, "rating": 5}, "rating", ["is_verified"]),
        ({"is_html": 2}, "is_html", []),
        ({"answer": 90, "is_html": 2}, "is_html", []),
        ({"target": 5, "opinion": 3}, "target", ["opinion"]),
        ({"answer": 60, "label": 2}, "label", []),
        ({"brand": 5, "label": 2}, "label", []),
    ],
)
def test_a_name_of_labels_alone_comes_before_one_that_may_be_a_fact(tmp_path, columns, label, others):
    lines = [
        {"text": f"ёж номер {i}", **{name: f"{name} {i % values}" for name, values in columns.items()}}
        for i in range(120)
    ]
    starter = guessed(tmp_path, lines)
    assert (starter.label, list(starter.other_labels)) == (label, others)
    assert label not in starter.document[0] and "text" in starter.document[0]
    written, listed = starter_yaml(starter), ", ".join(f'"{name}" ({columns[name]})' for name in others)
    assert (f"# (?) By its name; others that may be the label, with their number of values: {listed}." in written) == (
        len(others) > 0
    )
    facts = [name for name in others if name in starter.facts]
    told = {name: "  # Left out, may be the label" for name in others if name not in facts}
    told |= {name: "  # Left out, names a group of records" for name in told if name == starter.slice}
    assert all(f"{why}: {name}." in written for name, why in told.items())
    assert (f"# (?) May be labels by their names, read as facts about the text: {', '.join(facts)}." in written) == (
        len(facts) > 0
    )


def test_a_fact_about_the_text_is_read_unless_it_tells_the_label(tmp_path):
    lines = [
        {
            "id": i,
            "target": f"тема {i % 5}",
            "topic": "абв"[i % 3],
            "text": f"ёж номер {i}",
            "stance": ["за", "против", "мимо"][i % 3],
        }
        for i in range(120)
    ]
    starter = guessed(tmp_path, lines)
    assert starter.label == "stance" and starter.document == (["target", "text"], []) == starter.card
    assert starter.left_out == {"topic": "gives the label away"} and starter.facts == ["target"]
    alone = guessed(
        tmp_path, [{"id": i["id"], "topic": i["target"], "post": i["text"], "label": "аб"[i["id"] % 2]} for i in lines]
    )
    assert alone.document == (["topic", "post"], []) == alone.card and alone.label == "label"


@pytest.mark.parametrize(("answers", "label"), [("response", "winner"), ("answer", "label")])
@pytest.mark.parametrize(("times", "words", "key"), [(2, 1, True), (1, 30, True), (6, 1, False)])
def test_what_both_sides_are_about_is_read_first_and_keeps_its_rows_together(
    tmp_path, answers, label, times, words, key
):
    lines = [
        {
            "id": i,
            "question": "о чём " * words + str(i // times),
            f"{answers}_a": f"{'ответ ' * 90}{i}",
            f"{answers}_b": f"{'другой ' * 90}{i}",
            "annotator": f"кто-то {i % 4}",
            "domain": ["банк", "связь"][i % 2],
            "topic_id": f"т{i % 3}",
            label: "ab"[i // 5 % 2],
        }
        for i in range(240)
    ]
    starter = guess([write(tmp_path / "train.jsonl", lines)], tmp_path)
    left, right = ["annotator", "question", f"{answers}_a"], [f"{answers}_b"]
    assert starter.label == label and set(starter.document[0]) == set(left)
    assert starter.document == starter.card and starter.document[1] == right and starter.document[0][-1] == left[-1]
    assert starter.keys == (["question"] if key else [f"{answers}_a"])
    assert starter.left_out == {"domain": "names a group of records"}
    said = "# (?) Of neither side, so on the left as what both are about: question, annotator."
    assert said in starter_yaml(starter)


@pytest.mark.parametrize("ending", [".csv", ".tsv.gz"])
def test_a_table_without_a_header_line_is_refused(tmp_path, ending):
    sign = "\t" if "tsv" in ending else ","
    lines = [sign.join((["спорт", "театр"][i % 2], f"ёж номер {i}")) for i in range(60)]
    opened = gzip.open if ending.endswith(".gz") else open

    def save(*rows):
        with opened(tmp_path / f"train{ending}", "wt", encoding="utf-8") as file:
            file.write("\n".join(rows))
        return tmp_path / f"train{ending}"

    with pytest.raises(UserError, match=r"(?s)no header line.*train.*'спорт'.*line 1"):
        guess([save(*lines)], tmp_path)
    head = sign.join(("тема", "текст"))
    assert guess([save(head, *lines, head, *lines)], tmp_path).label == "тема"


def test_the_key_with_the_most_values_comes_first(tmp_path):
    lines = [
        {
            "label": i // 6 % 2,
            "entity": {"id": f"e{i % 6}", "name": f"ёж {i % 6}"},
            "article": {"id": f"a{i // 2}", "title": f"новость {i}"},
        }
        for i in range(120)
    ]
    assert guessed(tmp_path, lines).keys == ["article.id", "entity.id"]


def test_numbers_and_codes_are_left_out_and_said(tmp_path):
    lines = [
        {
            "id": i,
            "label": i % 2,
            "text": f"ёж номер {i}",
            "price": i * 7.5,
            "cost": f"{i * 10}.00",
            "gtin": f"46000000{i:05}",
            "day": f"2024.11.{i % 28 + 1:02}",
            "source": i % 4,
            "nothing": None,
        }
        for i in range(60)
    ]
    starter = guessed(tmp_path, lines)
    assert starter.document == (["text"], []) and starter.slice == "source"
    assert starter.left_out == {"price": "numbers", "cost": "numbers", "gtin": "codes of digits", "day": "few letters"}
    assert "  # Left out, codes of digits: gtin." in starter_yaml(starter)
