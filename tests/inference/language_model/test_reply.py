"""What a reply says of the labels: probabilities of first tokens, hard labels, nonsense."""

import json
import math

import numpy as np
import pytest

from distill.inference.language_model.reply import Nonsense, Reader, Reply

LABELS = ("not_about", "ment", "about")


def body(text, *tokens, **more):
    content = [
        {
            "token": one[0][0],
            "logprob": math.log(one[0][1]),
            "top_logprobs": [{"token": token, "logprob": math.log(share)} for token, share in one],
        }
        for one in tokens
    ]
    choice = {"message": {"content": text}, "logprobs": {"content": content} if tokens else None}
    return json.dumps({"choices": [choice], **more}).encode()


def read(text, *tokens, choices=LABELS, confidence=0.9):
    return Reader(choices, confidence).read(Reply.of(body(text, *tokens)))


def test_tokens_that_begin_one_choice_are_summed():
    tokens = [("not", 0.5), (" Not", 0.1), ("ab", 0.2), ("▁about", 0.1), ("m", 0.05), ("xyz", 0.05)]
    found = read("not_about", tokens)
    np.testing.assert_allclose(found.probabilities, np.array([0.6, 0.05, 0.3]) / 0.95)
    assert found.soft


def test_a_token_begins_a_choice_whatever_divides_its_words():
    for first in ("no", "No_", "no-match"):
        found = read("No match", [(first, 0.8), ("match", 0.2)], choices=("match", "no_match"))
        assert found.soft
        np.testing.assert_allclose(found.probabilities, [0.2, 0.8])


def test_a_first_token_of_space_is_passed_over():
    found = read("\n ment", [("\n", 0.9), (" ", 0.1)], [("ment", 0.75), ("about", 0.25)])
    assert found.probabilities.argmax() == 1 and found.probabilities[2] == pytest.approx(0.25, abs=1e-5)


def test_a_choice_that_is_not_listed_has_at_most_what_the_list_leaves_over():
    found = read("about", [("about", 0.9), ("the", 0.06)])  # 0.04 is left, a half of it for each
    np.testing.assert_allclose(found.probabilities, np.array([0.02, 0.02, 0.9]) / 0.94)
    found = read("about", [("about", 0.9), ("the", 0.01)])  # what is not listed is rarer than what is
    np.testing.assert_allclose(found.probabilities, np.array([0.01, 0.01, 0.9]) / 0.92)
    found = read("about", [("about", 1.0)])
    assert found.probabilities.min() == pytest.approx(1e-7)


def test_pieces_of_characters_are_bytes():
    raw = json.loads(body("рядом", [("я", 0.7), ("т", 0.3)]))
    alternatives = raw["choices"][0]["logprobs"]["content"][0]["top_logprobs"]
    first = [{"token": "�", "bytes": list("р".encode()), "logprob": math.log(0.7)}]
    first += [{"token": "�", "bytes": [0xD1, 0x82], "logprob": math.log(0.3)}]
    alternatives[:] = first
    raw["choices"][0]["logprobs"]["content"][0] |= first[0]
    found = Reader(("мимо", "рядом", "точно"), 0.9).read(Reply.of(json.dumps(raw).encode()))
    np.testing.assert_allclose(found.probabilities[1:], [0.7, 0.3], atol=1e-6)


@pytest.mark.parametrize(
    ("text", "choices", "label"),
    [
        ("**About**.", LABELS, 2),
        ("not_about", LABELS, 0),
        ("The label is ment, I think", LABELS, 1),
        ('"not about" it', ("not about", "about it"), 0),
        ("B", ("A", "B"), 1),
        ("no match", ("match", "no_match"), 1),
        ("No match.", ("match", "no_match"), 1),
        ("**no-match**", ("match", "no_match"), 1),
        ("Label: no_match", ("match", "no match"), 1),
        ("Answer: not relevant", ("relevant", "not relevant"), 1),
        ("The text is not  relevant", ("relevant", "not relevant"), 1),
        ("It is relevant, no doubt", ("relevant", "not relevant"), 0),
        ("нет, не совпадает", ("да", "нет"), 1),
        ("The answer is no", ("yes", "no"), 1),
        ("The sentiment is -1", ("-1", "0", "1"), 0),
        ("__ment__", LABELS, 1),
        ("A-ment", ("A", "B"), 0),
        ("b) рядом", ("A", "B"), 1),
        (" (A)", ("A", "B"), 0),
    ],
)
def test_without_probabilities_the_label_is_hard(text, choices, label):
    found = read(text, choices=choices, confidence=0.8)
    assert not found.soft and found.probabilities.argmax() == label
    np.testing.assert_allclose(sorted(found.probabilities)[-1], 0.8)
    assert found.probabilities.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("text", "choices"),
    [
        ("", LABELS),
        (None, LABELS),
        ("neither", LABELS),
        ("perhaps about or ment?", LABELS),
        ("A page", ("A", "B")),
        ("Not relevant", ("relevant", "irrelevant")),
        ("Not a match", ("match", "no_match")),
        ("This is not spam.", ("spam", "ham")),
        ("It isn't spam", ("spam", "ham")),
        ("non-positive", ("positive", "negative", "neutral")),
        ("Это не спам", ("спам", "письмо")),
    ],
)
def test_what_names_no_label_or_several_is_nonsense(text, choices):
    with pytest.raises(Nonsense, match="names no label"):
        read(text, choices=choices)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"choices": []}',
        b'{"choices": [{"message": {"content": 5}}]}',
        b"[" * 100_000,
        b'{"error": "busy"}',
    ],
)
def test_what_is_no_chat_completion_is_nonsense(bad):
    with pytest.raises(Nonsense):
        Reply.of(bad)


def test_malformed_probabilities_are_none_and_a_kept_reply_reads_the_same():
    raw = json.loads(body("ment", [("ment", 0.5), ("about", 0.5)], usage={"prompt_tokens": 7}, model="m"))
    reply = Reply.of(json.dumps(raw).encode())
    assert (reply.input_tokens, reply.output_tokens, reply.model) == (7, None, "m")
    again = Reply.from_json(json.loads(json.dumps(reply.as_json())))
    assert again.tokens == reply.tokens and again.text == reply.text
    for wrong in ("x", None, True, float("nan")):
        raw["choices"][0]["logprobs"]["content"][0]["logprob"] = wrong
        assert not Reader(LABELS, 0.9).read(Reply.of(json.dumps(raw).encode())).soft
    raw["choices"][0]["logprobs"] = {"content": [5, None]}
    assert not Reader(LABELS, 0.9).read(Reply.of(json.dumps(raw).encode())).soft
