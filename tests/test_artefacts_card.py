"""Cards: what is in them is checked, whoever wrote them."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_files import card, network_card, opens

from rtsep.artefacts.card import FIELDS, NETWORK_FIELDS, CardError, from_json, to_json

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=30)


@given(
    name=TEXT.filter(bool),
    command=TEXT,
    bandwidth=st.floats(1, 4000),
    seed=st.integers(0, 2**63 - 1),
    quality=st.dictionaries(TEXT.filter(bool), st.floats(-1e9, 1e9) | TEXT, max_size=5),
    options=st.dictionaries(TEXT.filter(bool), st.integers(0, 9) | st.booleans(), max_size=5),
)
def test_a_card_survives_json(**values):
    made = replace(card(), **values)
    assert from_json(to_json(made)) == made


WRONG = {
    "format": [2, "1", None], "name": ["", "a\nb", 3, "x" * 65, "\ud800"], "kind": ["nes", 1],
    "source": ["unknown", "all", "", []], "role": ["mute"], "rate": [0, 48000.0, True, 10**9],
    "divergence": ["KL"], "power": [0, 1.0, True], "bandwidth": [0, -1, 4001, "wide", 1e300],
    "normalisation": [7], "rank": [0, -3, 10**6, 2.0],
    "windows": [{}, {"low": [512]}, {"deep": [512, 20, 40]}, {"low": [512, 0, 40]},
                {"low": [512, 15, 40]}, {"low": [40, 20, 80]}, {"low": [513, 20, 40]}, []],
    "trained_on": [{}, [{"corpus": "x"}], [3]], "command": [None, "a\0b", "x" * 2001],
    "seed": [-1, 1.5], "created": [20261121], "quality": [{"x": []}, {1: 1}, []],
    "options": [{"steps": None}, {"": 1}, {"x": {}}],
}  # fmt: skip


def test_every_field_of_a_card_is_checked():
    assert WRONG.keys() == FIELDS.keys()


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG.items() for v in values])
def test_a_card_with_a_wrong_field_cannot_be(name, value):
    with pytest.raises(CardError, match=r"^model"):
        replace(card(), **{name: value})
    shown = json.loads(to_json(card())) | {name: value}
    if name != "quality" or 1 not in value:  # JSON has no number as a key
        with pytest.raises(CardError) as caught:
            from_json(json.dumps(shown))
        assert str(caught.value).isprintable()


NETWORK_WRONG = {name: WRONG[name] for name in FIELDS.keys() & NETWORK_FIELDS.keys()} | {
    "kind": ["nmf", "asvd", 1], "rate": [0, 48000.0, 8000], "bandwidth": [0, 24001, "wide"],
    "sources": [[], "speech", [{"name": "x"}], [{"name": "unknown", "role": "keep"}],
                [{"name": "x", "role": "mute"}], [{"name": "x", "role": "keep"}] * 2,
                [{"name": each, "role": "keep"} for each in "xyz"]],
    "window": [0, 1023, 4096], "hop": [0, 2000], "feature": [None], "bands": [0], "lookahead": [1],
    "states": [[3], [[0]], [[2, -1]], [[1 << 21]], [[1 << 19]] * 3, [[1]] * 65, [[1] * 7], None],
    "quality": [{"x": []}, []], "cost": [[], {"": 1}], "initialiser_bytes": [-1, 1 << 30],
    "memory_bytes": [0, 1 << 40, 1.5],
}  # fmt: skip


def test_every_field_of_a_networks_card_is_checked():
    assert NETWORK_WRONG.keys() == NETWORK_FIELDS.keys()


@pytest.mark.parametrize(
    ("name", "value"), [(n, v) for n, values in NETWORK_WRONG.items() for v in values]
)
def test_a_networks_card_with_a_wrong_field_cannot_be(name, value):
    with pytest.raises(CardError, match=r"^model"):
        replace(network_card(), **{name: value})
    shown = json.loads(to_json(network_card())) | {name: value}
    with pytest.raises(CardError) as caught:
        from_json(json.dumps(shown))
    assert str(caught.value).isprintable()


def test_a_networks_card_survives_json():
    made = network_card(cost={"run_us": 80.5}, options={"seed": 3}, states=[[2, 1, 4], []])
    assert from_json(to_json(made)) == made
    assert (made.source, made.role, made.bins) == ("speech", "keep", 513)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "3", "null", '"card"', "{}", "[" * 100_000, '{"a": NaN}', '{"a": 1, "a": 2}',
     '{"rank": 1e999}', "\x00", '{"format": 9}', "9" * 5000, '{"\\ud800": 1, "format": 1}',
     " " * 300_000],
)  # fmt: skip
def test_what_is_no_card_is_refused(text):
    for shown in (text, text.encode()):
        with pytest.raises(CardError) as caught:
            from_json(shown)
        assert str(caught.value).isprintable()


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
                    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)),
       st.sampled_from(sorted(FIELDS)))  # fmt: skip
def test_any_json_in_any_field_makes_a_card_or_a_card_error(value, name):
    made = opens(from_json, json.dumps(json.loads(to_json(card())) | {name: value}))
    assert made is None or from_json(to_json(made)) == made
