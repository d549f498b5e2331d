"""The few things that the values of the model know by themselves."""

import dataclasses
import inspect
from enum import StrEnum

import pytest

from feedsvc import model
from feedsvc.model import Collection, Tlp

VALUES = [one for _, one in inspect.getmembers(model, dataclasses.is_dataclass) if one.__module__.startswith(model.__name__)]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: str(value.__name__))
def test_values_that_stages_exchange_never_change(value: type) -> None:
    assert vars(value)["__dataclass_params__"].frozen
    assert "__slots__" in vars(value)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: str(value.__name__))
def test_no_value_holds_what_can_be_changed_from_outside(value: type) -> None:
    open_ended = ("list[", "dict[", "set[", "Any")
    assert [field.name for field in dataclasses.fields(value) if str(field.type).startswith(open_ended)] == []


def test_markings_are_ranked_from_open_to_closed() -> None:
    assert [marking.value for marking in sorted(Tlp, key=lambda marking: marking.rank)] == [
        "clear",
        "green",
        "amber",
        "amber+strict",
        "red",
    ]


@pytest.mark.parametrize("tlp", Tlp)
@pytest.mark.parametrize("most", Tlp)
def test_a_collection_takes_what_its_marking_covers(tlp: Tlp, most: Tlp) -> None:
    assert Collection("c", "callbacks", "Callbacks", max_tlp=most).takes("jar-callbacks", tlp) == (tlp.rank <= most.rank)


@pytest.mark.parametrize(
    ("watches", "taken"), [(("*",), True), (("jar-callbacks",), True), (("other",), False), ((), False)]
)
def test_a_collection_takes_the_watches_it_names_or_all(watches: tuple[str, ...], taken: bool) -> None:
    assert Collection("c", "callbacks", "Callbacks", watches=watches).takes("jar-callbacks", Tlp.CLEAR) is taken


@pytest.mark.parametrize("words", [one for _, one in inspect.getmembers(model, inspect.isclass) if issubclass(one, StrEnum)])
def test_words_are_spelt_the_same_in_code_and_outside(words: type[StrEnum]) -> None:
    for word in words:
        assert word.name == word.value.upper().replace("-", "_").replace("+", "_")
