"""The files of wording: what is refused, and when they are read."""

import subprocess
import sys
from string import Formatter

import pytest

from distill.core.errors import UserError
from distill.demo import wording as module
from distill.demo.wording import SLICES, Filler, Goods, PageKind, wording


def texts(value):
    """Every text in a model, a dataclass, a mapping or a tuple."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, tuple):
        return [text for part in value for text in texts(part)]
    return [text for part in vars(value).values() for text in texts(part)] if hasattr(value, "__dict__") else []


def test_every_slice_has_goods_sentences_and_kinds_of_pages_that_make_up_all_its_pages():
    assert tuple(wording().slices) == SLICES
    for found in wording().slices.values():
        assert sum(found.page_shares) == 100 and len(found.page_kinds) == len(found.page_shares)
        assert found.goods and found.sentences


def test_slots_have_whole_names():
    known = {
        *("subject", "other", "others", "brand", "type", "types", "definition", "substance", "feature"),
        *("other_feature", "accessory", "small_number", "number", "shop", "city", "month", "person"),
    }
    kinds = {kind.name: kind for found in wording().slices.values() for kind in found.page_kinds}
    used = [*texts(wording().filler), *(text for kind in kinds.values() for text in texts(kind))]
    used += [text for found in wording().slices.values() for text in found.sentences]
    assert {slot for text in used for _, slot, _, _ in Formatter().parse(text) if slot is not None} == known


@pytest.mark.parametrize(
    ("model", "key", "value", "message"),
    [
        (Filler, "cities", "[true]", "cities.0"),
        (Filler, "months", "[1.30]", "months.0"),
        (Filler, "citys", "[Arvika]", "citys: unknown, did you mean 'cities'"),
    ],
)
def test_an_unquoted_text_or_a_misspelt_key_is_refused(monkeypatch, tmp_path, model, key, value, message):
    rest = {"openings", "echoes", "sentences", "cities", "months", "persons", "shops"} - {key}
    lines = [f"{key}: {value}", *(f'{name}: ["text"]' for name in sorted(rest))]
    (tmp_path / "wording").mkdir()
    (tmp_path / "wording" / "filler.yaml").write_text("\n".join(lines), encoding="utf-8")
    monkeypatch.setattr(module, "files", lambda package: tmp_path)
    with pytest.raises(UserError, match=message):
        module.load_wording(model, "filler")


def test_goods_and_kinds_of_pages_are_named_by_their_place():
    assert all(isinstance(goods, Goods) and goods.segment == "diy" for goods in wording().slices["diy"].goods)
    kinds = wording().slices["pharma"].page_kinds
    assert all(isinstance(kind, PageKind) for kind in kinds)
    assert [kind.name for kind in kinds][:2] == ["leaflet", "pharmacy"]


def test_help_and_the_list_of_projects_read_no_wording():
    code = "import sys, distill.cli.app, distill.demo.projects; print('distill.demo.wording' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "False\n"
