import sys
from abc import ABC, abstractmethod
from importlib import import_module

import pytest

from distill.core.siblings import siblings

BASE = """
from abc import ABC, abstractmethod
class Animal(ABC):
    @abstractmethod
    def sound(self): ...
class Barking(Animal):
    loud = True
    @abstractmethod
    def sound(self): ...
"""
DOG = "from zoo.base import Animal, Barking\nclass Dog(Barking):\n    def sound(self): return 'woof'\nLIMIT = 3\n"
CAT = """
from zoo.base import Animal
from zoo.inside.dog import Dog
class Cat(Animal):
    def sound(self): return 'meow'
"""


class Other(ABC):
    @abstractmethod
    def sound(self): ...


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A package `zoo.inside` with one class in each module."""
    (tmp_path / "zoo" / "inside").mkdir(parents=True)
    files = {"__init__": "", "base": BASE, "inside/__init__": "", "inside/dog": DOG, "inside/cat": CAT}
    for name, text in files.items():
        (tmp_path / "zoo" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield import_module("zoo.inside")
    for name in [name for name in sys.modules if name.split(".")[0] == "zoo"]:
        del sys.modules[name]


def test_concrete_classes_come_in_the_order_of_their_files_and_once(zoo):
    found = siblings(zoo, import_module("zoo.base").Animal)
    assert [kind.__name__ for kind in found] == ["Cat", "Dog"] and found[1]().sound() == "woof"


def test_classes_of_another_base_do_not_count(zoo):
    assert siblings(zoo, Other) == []
