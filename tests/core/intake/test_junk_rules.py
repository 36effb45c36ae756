"""Rules of `data.junk.rules`: what each kind fits, what is counted, what is refused."""

import re
import sys

import numpy as np
import pytest

from distill.core.config import merge, parse
from distill.core.errors import UserError
from distill.core.intake.common_parts import Tally
from distill.core.intake.junk_rules import language
from distill.core.intake.junk_rules.registry import known_rules, parse_rules
from distill.core.intake.junk_rules.rule import JunkRule
from distill.core.intake.ledger import Ledger
from distill.core.intake.prepare import records_config
from distill.core.intake.rare_classes import merged_task
from distill.core.project import Project
from tests.core.record_fixtures import LABELS, PROJECT, ids, prepare_and_audit, project, row, rows, run, write_all
from tests.core.rejected_junk import NEEDED, RULES

URL = {"kind": "url", "fields": ["page.url"]}
GERMAN = "Der Versand ist kostenlos und die Lieferung erfolgt innerhalb von zwei Werktagen."
ENGLISH = "Shipping is free of charge and your parcel will be delivered within two working days."
RUSSIAN = "Доставка бесплатная, заказ привезут в течение двух рабочих дней, оплата при получении или заранее на сайте."


def fits(settings, *texts):
    """Whether a rule without a counting pass fits a row with these texts."""
    return parse_rules({"one": settings})["one"].judge(None)(texts)


@pytest.mark.parametrize(
    ("settings", "junk", "fine"),
    [
        ({"kind": "length", "min_chars": 6}, ("ёж", "да"), ("ёжик", "да")),
        ({"kind": "length", "max_chars": 6}, ("ёжик", "нет"), ("ёжик", "да")),
        ({"kind": "length", "min_words": 3}, ("раз", "два"), ("раз два", "три")),
        ({"kind": "length", "max_words": 2}, ("раз два", "три"), ("раз", "два")),
        ({"kind": "missing", "fields": ["a", "b"]}, ("есть", ""), ("есть", "и есть")),
        ({"kind": "missing", "fields": ["a", "b"], "when": "all"}, ("", ""), ("есть", "")),
        ({"kind": "regex", "patterns": "(?i)^captcha"}, ("", "CAPTCHA, please"), ("no captcha",)),
        ({"kind": "regex", "patterns": ["x{9}", "404"]}, ("error 404",), ("error 40",)),
        ({**URL, "hosts": ["Example.com"]}, ("https://shop.example.com:8080/x",), ("https://notexample.com/",)),
        ({**URL, "hosts": ["example.com"]}, ("example.com/a",), ("https://a.ru/?to=example.com",)),
        ({**URL, "paths": ["/search*"]}, ("/Search/drills",), ("https://a.ru/x/search",)),
        ({**URL, "paths": ["/"]}, ("https://a.ru",), ("https://a.ru/drill",)),
        ({**URL, "paths": ["*"]}, ("/x",), ("see a.ru for more",)),
        ({**URL, "hosts": ["a.ru"]}, ("//a.ru/",), ("http://[a.ru",)),
        ({"kind": "repeated_words"}, ("купи " * 20,), ("купи " * 19,)),
        ({"kind": "repeated_words", "min_words": 4}, ("Да да", "ДА да"), ("да нет " * 2,)),
        ({"kind": "repeated_words", "min_words": 4, "min_distinct": 0.6}, ("да нет " * 2,), ("да нет да может",)),
        ({"kind": "repeated_lines"}, ("Купить\n\nцена\nкупить ", "КУПИТЬ"), ("а\nб\nв\nв",)),
        ({"kind": "repeated_lines", "min_lines": 2}, ("а\nа",), ("а а",)),
        ({"kind": "repeated_lines", "max_share": 0.2}, ("а\nб\nв\nв",), ("а\nб\nв\nг\nг",)),
        ({"kind": "characters", "of": "digits", "max_share": 0.5}, ("12 34 567 ab cd e",), ("123 45 abcde",)),
        ({"kind": "characters", "of": "digits", "max_share": 0.5, "min_chars": 4}, ("123a",), ("123",)),
        ({"kind": "characters", "of": "letters", "min_share": 0.6}, ("ёжик ___ 123",), ("ёжик ёжик 12",)),
        ({"kind": "characters", "of": "punctuation", "max_share": 0.3}, ("★★★★_ ёжик ёж",), ("★ ёжик ёжик ёжик",)),
        (
            {"kind": "characters", "of": "other_script", "scripts": ["latin", "cyrillic"], "max_share": 0.5},
            ("家用电动工具冲击钻套装 drill",),
            ("дрель drill 冲击钻套装",),
        ),
        (
            {"kind": "characters", "of": "other_script", "scripts": ["latin"], "max_share": 0.5},
            ("дрель ударная drill",),
            ("Ударная 1234567890 12345",),  # seven letters are too few to be judged
        ),
        ({"kind": "language", "keep": ["de", "en"]}, (RUSSIAN,), (GERMAN, "")),
        ({"kind": "language", "drop": ["de"], "among": ["de", "en"]}, (GERMAN,), (ENGLISH,)),
        ({"kind": "language", "keep": ["en"], "min_chars": 90}, (GERMAN, GERMAN), (GERMAN,)),
        ({"kind": "language", "keep": ["en"], "read_chars": 80}, (GERMAN, ENGLISH * 3), (ENGLISH, GERMAN * 3)),
        ({"kind": "language", "keep": ["en"], "min_probability": 0.51}, (GERMAN,), ("#4711 0815 SAS10 " * 9,)),
    ],
    ids=str,
)
def test_a_rule_fits_one_text_and_not_the_other(settings, junk, fine):
    assert (fits(settings, *junk), fits(settings, *fine)) == (True, False)


def test_a_probability_that_is_not_reached_is_no_language():
    sure = {"kind": "language", "keep": ["de"], "min_probability": 1}
    mixed = f"{GERMAN[:40]} {ENGLISH[:40]}"
    assert fits({**sure, "min_probability": 0.6}, mixed) and not fits(sure, mixed)


MENU = "Каталог Доставка и оплата\nКонтакты Возврат товара Гарантия\n"
PAGES = [row(f"п{i}", 300 + i, page={"body": MENU + (f"{i} слово " * 9 if i else "")}) for i in range(8)]


@pytest.mark.parametrize(
    ("settings", "dropped"),
    [
        ({"rows": 8, "share": 0.9}, ["п0"]),
        ({"rows": 9, "share": 0.9}, []),
        ({"rows": 8, "share": 0.1}, [f"п{i}" for i in range(8)]),
        ({"rows": 8, "share": 0.9, "words": 9}, []),  # a menu of eight words has no such run
        ({"rows": 8, "share": 0.6, "parts": "lines"}, [f"п{i}" for i in range(8)]),
        ({"rows": 8, "share": 0.7, "parts": "lines"}, ["п0"]),
    ],
)
def test_boilerplate_is_what_many_rows_of_the_source_say(tmp_path, settings, dropped):
    rule = {"kind": "boilerplate", "fields": ["page.body"], "sources": "pool", **settings}
    fine = [row("хорошая", 400, page={"body": "Совсем другой текст о дрели, какого больше нигде нет"})]
    out, audit = run(write_all(tmp_path, pool=[*PAGES, "{", *fine]), junk={"rules": {"меню": rule}})
    assert ids(out, "pool.urls") == [name for name in (*(f"п{i}" for i in range(8)), "хорошая") if name not in dropped]
    found = audit["junk_rules"]["меню"]["sources"]["pool.urls"]
    assert (found["rows"], found["hits"], found["rows_missed_at_most"]) == (9, len(dropped), 0)
    assert audit["rows"]["by_source"]["pool.urls"]["read"] == 10  # the row that is none is counted once


def test_counts_in_bounded_memory_are_never_too_high_and_too_low_by_what_is_said():
    rng = np.random.default_rng(1)
    stream = np.concatenate([rng.integers(1000, 1 << 60, 40_000), np.repeat(np.arange(20), 3000)]).astype(np.uint64)
    rng.shuffle(stream)
    tally = Tally(1000)
    for piece in np.array_split(stream, 30):
        tally.add(piece)
        tally._merge()
    assert 0 < tally.missed <= len(stream) / 1001
    assert tally.common(3000 - tally.missed).tolist() == list(range(20)) and len(tally.common(3001)) == 0
    exact = Tally(100_000)
    exact.add(stream)
    assert exact.missed == 0 and exact.common(3000).tolist() == list(range(20))


ORDERED = {
    "цифры": {"kind": "regex", "patterns": r"\d{6}", "fields": ["page.title"]},
    "пробное": {"kind": "regex", "patterns": "купить", "fields": ["page.title"], "action": "count"},
    "короткое": {"kind": "length", "max_chars": 30, "fields": ["page.title"]},
}


def test_the_first_rule_is_the_reason_and_every_rule_is_counted(tmp_path):
    odd = [row(f"ц{i}", 500 + i, page={"title": f"купить {10**29 + i} штук"}) for i in range(4)]
    empty = row("пустая", 600, product={"title": ""}, page={"title": "", "body": ""})
    plain = row("и номер", 601, page={"title": "Номер 123456"})
    out, audit = run(write_all(tmp_path, pool=[*odd, empty, plain, row("ок", 602)]), junk={"rules": ORDERED})
    own = audit["rows"]["by_source"]["pool.urls"]
    assert own["dropped"] == {"junk.цифры": 5, "too_short": 1} and own["kept"] == 1 and ids(out, "pool.urls") == ["ок"]
    assert audit["junk"]["by_reason"] == own["dropped"] and audit["junk"]["examples"]["pool.urls"]["too_short"] == [
        "пустая"
    ]
    counts = {name: (one["rows"], one["hits"], one["dropped"]) for name, one in audit["junk_rules"].items()}
    assert counts == {"too_short": (31, 1, 1), "цифры": (31, 5, 5), "пробное": (31, 4, 0), "короткое": (31, 4, 0)}
    assert audit["junk_rules"]["пробное"]["action"] == "count" and audit["junk_rules"]["цифры"]["share"] == 5 / 31
    examples = audit["junk_rules"]["цифры"]["sources"]["pool.urls"]["examples"]
    assert [one["id"] for one in examples] == ["ц0", "ц1", "ц2"] and examples[0]["text"] == f"купить {10**29} штук"
    assert not [warning for warning in audit["warnings"] if "quarantine" in warning]


def test_without_texts_examples_are_ids_alone(tmp_path):
    values = merge(PROJECT, {"data": {"root": str(write_all(tmp_path)), "junk": {"rules": {"все": EVERY}}}})
    audit = prepare_and_audit(parse(Project, {**values, "report": {"texts": False}}, "test"), tmp_path / "records")
    examples = [one for own in audit["junk_rules"]["все"]["sources"].values() for one in own["examples"]]
    assert len(examples) == 12 and all(set(one) == {"id"} for one in examples)


EVERY = {"kind": "length", "min_chars": 1000, "action": "count"}


def test_a_rule_reads_its_fields_of_its_sources(tmp_path):
    def found(**settings):
        _, audit = run(write_all(tmp_path), junk={"rules": {"все": {**EVERY, **settings}}})
        return {source: own["hits"] for source, own in audit["junk_rules"]["все"]["sources"].items()}

    assert found() == {"train": 12, "valid": 6, "test.seen": 6, "pool.urls": 9}
    assert found(sources=["valid", "test"]) == {"valid": 6, "test.seen": 6}
    assert found(sources="pool.urls", min_chars=25, fields=["product.title"]) == {"pool.urls": 9}
    assert found(sources="pool.urls", min_chars=25, fields=["product.title", "page.title"]) == {"pool.urls": 0}


def test_rules_leave_nothing_behind_where_there_are_none_and_their_order_counts(tmp_path):
    out, audit = run(write_all(tmp_path))
    assert "junk_rules" not in audit and "rules" not in (out / "ledger.json").read_text()
    assert "junk" not in records_config(project())["data"] and "junk_order" not in records_config(project())
    one, other = (
        records_config(project(junk={"rules": dict(rules)})) for rules in (ORDERED.items(), [*ORDERED.items()][::-1])
    )
    assert one != other and one["data"] == other["data"]


def test_rows_of_rare_classes_are_counted_after_the_rules(tmp_path):
    values = merge(PROJECT, {"task": {"rare": {"under": 5, "into": "мимо"}}, "data": {"root": str(tmp_path)}})
    values["task"]["positive"] = None
    write_all(tmp_path, train=[*rows("т", 15, 0)])
    rule = {"kind": "regex", "patterns": "дрель 2 |дрель 5 ", "fields": ["page.title"]}
    ruled = merge(values, {"data": {"junk": {"rules": {"две": rule}}}})
    found = [merged_task(parse(Project, one, "test"), LABELS, "test")["rare"]["classes"] for one in (values, ruled)]
    assert found == [{}, {"точно": 3}]


def test_made_pairs_are_judged_by_rules_that_need_one_row(tmp_path):
    pool = {"made": {"pairs": {"of": ["pool.jsonl"], "exact": 0, "neighbours": 1, "hard": 0, "random": 0}}}
    rules = {"меню": {"kind": "boilerplate", "rows": 2}, "одна": {"kind": "regex", "patterns": "№300"}}
    _, audit = run(
        write_all(tmp_path, pool=rows("п", 9, 300, labelled=False)),
        pool={"urls": None, **pool} and pool,
        junk={"rules": rules},
    )
    own = audit["junk_rules"]
    assert own["меню"]["sources"]["pool.made"]["hits"] == 0 and own["одна"]["sources"]["pool.made"]["dropped"] == 1
    with pytest.raises(UserError, match="pairs that are made cannot be counted"):
        run(tmp_path, pool=pool, junk={"rules": {"меню": {"kind": "boilerplate", "sources": ["pool.made"]}}})


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"а": {"kind": "lenght"}}, r"data\.junk\.rules\.а\.kind: unknown, did you mean 'length'"),
        ({"а": {"min_chars": 3}}, r"rules\.а\.kind: missing; known: boilerplate, characters, "),
        ({"а": {"kind": "length", "min_char": 3}}, r"rules\.а\.min_char: unknown, did you mean 'min_chars'"),
        ({"а": {"kind": "length"}}, r"rules\.а\.min_chars: with no limit at all"),
        ({"а": {"kind": "regex", "patterns": ["("]}}, r"rules\.а\.patterns\.0: not a regular expression"),
        ({"pattern": EVERY}, r"rules\.pattern: the name of a reason of data.junk itself"),
        ({"а б": EVERY}, r"rules\.а б: ' ' in a name"),
        ([EVERY], r"rules: a mapping of names to rules is needed"),
        ({"а": 3}, r"rules\.а: a mapping with a kind is needed"),
        ({"а": {"kind": "no.such:Rule"}}, r"rules\.а\.kind: cannot import 'no.such'"),
        ({"а": {**EVERY, "fields": ["page.titel"]}}, r"unknown field\n  where: data\.junk\.rules\.а\.fields\n"),
        ({"а": {**EVERY, "sources": ["pool.url"]}}, r"(?s)unknown source.*rules\.а\.sources.*did you mean 'pool.urls'"),
        ({"а": {"kind": "language", "keep": ["xq"]}}, r"(?s)unknown language.*found: xq"),
        ({"а": {"kind": "language", "keep": ["de"], "among": ["de", "xq"]}}, r"(?s)unknown language.*found: xq"),
    ],
)
def test_what_is_wrong_with_a_rule_is_named(tmp_path, rules, message):
    with pytest.raises(UserError) as caught:
        run(write_all(tmp_path), junk={"rules": rules})
    assert re.search(message, str(caught.value)), str(caught.value)


def test_the_library_for_languages_is_named_by_its_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "py3langid.langid", None)
    language._model.cache_clear()
    with pytest.raises(UserError, match=r"(?s)kind language needs a package.*pip install 'distill\[pools\]'"):
        fits({"kind": "language", "keep": ["fr"], "among": ["fr", "nl"]}, RUSSIAN)


class Shouted(JunkRule):
    """A rule of a user's own."""

    name = "shouted"

    def judge(self, counted):
        """Fits where a text is in capitals."""
        return lambda texts: any(text.isupper() for text in texts)


def test_a_class_of_ones_own_is_a_rule():
    assert fits({"kind": f"{__name__}:Shouted"}, "КУПИ") and not fits({"kind": f"{__name__}:Shouted"}, "купи")


def test_the_tables_name_every_kind():
    assert set(known_rules().values()) == set(RULES) == set(NEEDED)
    assert known_rules().keys() == {one["kind"] for one in NEEDED.values()}


def test_what_rules_dropped_is_in_the_ledger_that_is_read_again(tmp_path):
    out, _ = run(write_all(tmp_path), junk={"rules": {"все": EVERY}})
    assert Ledger.load(out).accounts["train"].rules["все"]["hits"] == 12
