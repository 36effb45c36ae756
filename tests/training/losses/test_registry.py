"""Loss terms are found by name: those of the package, and classes of any other module."""

import subprocess
import sys
from pathlib import Path

import pytest

from distill.training.losses.registry import find_term, known_terms, parse_terms
from distill.training.losses.term import Term, needs, needs_teacher

ROOT = Path(__file__).resolve().parents[3]
OWN = """
from distill.training.losses.term import Term

class {name}(Term):
    scale: float = 2.0

    def __call__(self, student, teacher, batch):
        return student.logits.sum() * self.scale

word = "no term"
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """`module(name, class)`: write a module with one term into a folder that Python looks in."""
    monkeypatch.syspath_prepend(tmp_path)

    def write(name, class_name):
        (tmp_path / f"{name}.py").write_text(OWN.format(name=class_name), encoding="utf-8")
        return name

    yield write


def test_a_term_is_named_after_its_class_and_module():
    assert {"gold", "soft_cross_entropy"} <= set(known_terms())
    for name, term in known_terms().items():
        if term.__module__.startswith("distill."):
            assert term.__module__ == f"distill.training.losses.{name}"


def test_every_term_is_in_the_table_of_the_docs():
    page = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
    for name, term in known_terms().items():
        (row,) = (line for line in page.splitlines() if line.startswith(f"| `{name}` |"))
        settings = [field for field in term.model_fields if field not in ("weight", "sources")]
        assert all(f"`{setting}`" in row for setting in settings), name
        assert needs_teacher([term()]) == ("| the teacher |" in row)


def test_a_term_of_another_module_is_found_by_its_place(module):
    place = f"{module('own_terms', 'EvenLogits')}:EvenLogits"
    (term,) = parse_terms({place: {"scale": 3}}).values()
    assert (type(term).__name__, term.scale, term.weight) == ("EvenLogits", 3, 1)
    assert find_term(place) is type(term) and "even_logits" not in known_terms()


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        ({"glod": {}}, "glod: unknown loss term, did you mean 'gold'"),
        ({"xyz": {}}, "xyz: unknown loss term, known: .*gold, .*soft_cross_entropy.*, or module:Class"),
        ({"gold": {"wieght": 1}}, "gold.wieght: unknown, did you mean 'weight'"),
        ({"gold": {"weight": -1}}, "gold.weight: .*found -1"),
        ({"soft_cross_entropy": {"temperature": 0}}, "soft_cross_entropy.temperature: .*found 0"),
        ({"no_such_module:Term": {}}, "no_such_module:Term: cannot import 'no_such_module'.*PYTHONPATH"),
        ({"bad_terms:Missing": None}, "bad_terms:Missing: 'bad_terms' has no loss term 'Missing'"),
        ({"bad_terms:word": None}, "has no loss term 'word'"),
        (["gold"], "a mapping of loss terms"),
    ],
)
def test_problems_are_named(module, losses, message):
    module("bad_terms", "Fine")
    with pytest.raises(ValueError, match=message):
        parse_terms(losses)


def test_all_problems_come_at_once():
    with pytest.raises(ValueError, match="gold.weight: .*\n.*temperature: "):
        parse_terms({"gold": {"weight": -1}, "soft_cross_entropy": {"temperature": -1}})


def test_a_term_needs_what_a_model_has():
    with pytest.raises(TypeError, match="unknown \\['gradients'\\]"):
        type("Curved", (Term,), {"__module__": __name__, "needs": frozenset({"gradients"}), "__annotations__": {}})
    assert "curved" not in known_terms()


def test_only_terms_that_read_more_than_logits_need_a_teacher():
    terms = parse_terms({"gold": {}, "soft_cross_entropy": {}})
    assert needs(terms.values()) == {"logits"} and not needs_teacher(terms.values())
    assert not needs_teacher([])


def test_settings_are_read_without_torch():
    code = (
        "import sys\nfrom distill.training.losses.registry import known_terms, parse_terms\n"
        "parse_terms({name: {} for name in known_terms()})\n"
        "assert not {'torch', 'transformers'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
