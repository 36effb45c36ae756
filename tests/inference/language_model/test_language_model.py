"""A language model is asked over HTTP, each text once, and what the server does wrong is survived or named."""

import threading

import numpy as np
import pytest
from pydantic import ValidationError

from distill.core.errors import GateFailed, UserError
from distill.core.progress import Reporter, reporting
from distill.inference.language_model.config import Spend
from distill.inference.language_model.prompt import Shown, Text
from tests.http_server import CUT, NONSENSE, PAGE, RESET, SLOW, serving
from tests.inference.language_model.asking import LABELS, TABLE, model, settings, texts


class Notes(Reporter):
    def __init__(self):
        self.lines = []

    def note(self, text):
        self.lines.append(text)


class Waits:
    """Stands for the clock by which a server is left alone: a wait is noted and moves it on."""

    def __init__(self):
        self.now, self.taken = 0.0, []

    def monotonic(self):
        return self.now

    def wait(self, seconds):
        self.taken.append(seconds)
        self.now += seconds + 1e-6  # no rest by rounding

    def of(self, asked):
        """A language model that waits by this clock."""
        asked._server.stop.wait = self.wait
        return asked


@pytest.fixture
def waits(monkeypatch):
    found = Waits()
    monkeypatch.setattr("distill.inference.language_model.server.time", found)
    return found


@pytest.fixture
def server():
    with serving(TABLE) as found:
        yield found


def test_the_probabilities_of_the_label_words_are_the_soft_labels(server):
    done = []
    found = model(server).answer(texts("ремонт", "купить", "аналог"), done.append)
    np.testing.assert_allclose(found.probabilities, [[0.7, 0.2, 0.1], [0.06, 0.04, 0.9], [0.1, 0.6, 0.3]], atol=1e-9)
    assert found.status == ["ok"] * 3 and found.soft.all() and done == [1, 2, 3]
    np.testing.assert_allclose(found.confidence, [0.7, 0.9, 0.6])
    body = server.asked[0]
    assert body["model"] == "тест-7b" and body["logprobs"] and body["top_logprobs"] == 20 and body["temperature"] == 0
    assert "- мимо\n- рядом\n- точно" in server.prompts[0] and "Answer мимо, рядом or точно." in server.prompts[0]


def test_a_request_is_what_the_settings_say(server):
    changes = {"system": "Ты размечаешь тексты.", "prompt": "{left} / {right}: {choices}?", "max_tokens": 3}
    parameters = {"temperature": 0.5, "seed": 7}
    one = model(server, model="другая", top_logprobs=0, parameters=parameters, **changes)
    found = one.answer([Text("ремонт {record}", "крана")])
    (body,) = server.asked
    assert body.pop("messages") == [
        {"role": "system", "content": "Ты размечаешь тексты."},
        {"role": "user", "content": "ремонт {record} / крана: мимо, рядом or точно?"},  # braces of a text stay
    ]
    assert body == {"model": "другая", "max_tokens": 3, "temperature": 0.5, "seed": 7} and not found.soft[0]


def test_tries_and_the_waits_between_them_are_as_asked(server, waits):
    server.before = [500] * 3
    waits.of(model(server, tries=4, back_off_s=8, max_failed=1.0)).answer(texts("ремонт"))
    assert len(server.asked) == 4 and len(waits.taken) == 3
    for seconds, longest in zip(waits.taken, (8, 16, 32), strict=True):
        assert longest / 2 <= seconds <= longest
    server.before = [500] * 3
    assert waits.of(model(server, tries=2, max_failed=1.0)).answer(texts("купить")).status == ["failed"]
    assert len(server.asked) == 6


def test_letters_stand_for_labels_whose_words_begin_alike():
    shares = {"ремонт": {"B": 0.5, "A": 0.3, "C": 0.2}}
    with serving(shares) as server:
        found = model(server, labels=("match", "match_not", "other"), answer="letters").answer(texts("ремонт"))
    np.testing.assert_allclose(found.probabilities, [[0.3, 0.5, 0.2]], atol=1e-9)
    assert "A. match\nB. match_not\nC. other" in server.prompts[0]


def test_words_that_share_a_token_end_the_run_by_name():
    table, labels = {"ремонт": {"matter": 0.5, "match": 0.3, "other": 0.2}}, ("match", "matter", "other")
    with serving(table, first={"matter": "mat", "match": "mat"}) as server, pytest.raises(UserError) as caught:
        model(server, labels=labels).answer(texts("ремонт"))
    assert "'mat' begins match, matter" in str(caught.value) and "answer: letters" in str(caught.value)
    with serving(table, first={"matter": "matt"}) as server:  # apart in this model's tokens
        found = model(server, labels=labels).answer(texts("ремонт"))
    np.testing.assert_allclose(found.probabilities, [[0.3, 0.5, 0.2]], atol=1e-9)


def test_without_probabilities_a_label_has_the_declared_confidence_and_is_counted():
    notes = Notes()
    with serving(TABLE, logprobs=False) as server, reporting(notes):
        found = model(server, confidence=0.8).answer(texts("ремонт", "купить"))
    np.testing.assert_allclose(found.probabilities, [[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]])
    assert not found.soft.any() and "2 as hard labels of confidence 0.8" in notes.lines[-1]


def test_equal_texts_and_answered_ones_are_asked_once(server, tmp_path):
    path = tmp_path / "answers.sqlite"
    first = model(server, path).answer([*texts("ремонт", "купить"), *texts("ремонт")])
    again = model(server, path, parallel=1).answer(texts("ремонт", "купить", "аналог"))
    assert len(server.asked) == 3
    np.testing.assert_array_equal(first.probabilities[:2], again.probabilities[:2])
    np.testing.assert_array_equal(first.probabilities[2], first.probabilities[0])
    # What an answer depends on asks again; a hard label's confidence and the number of requests at a time do not.
    for change in ({"model": "тест-7b-2"}, {"prompt": "{record}?"}, {"parameters": {"temperature": 1}}):
        before = len(server.asked)
        model(server, path, **change).answer(texts("ремонт"))
        assert len(server.asked) == before + 1


def test_an_empty_text_is_not_asked_about(server):
    found = model(server).answer([Text(""), *texts("ремонт")])
    assert found.status == ["empty", "ok"] and len(server.asked) == 1
    np.testing.assert_allclose(found.probabilities[0], 1 / 3)


@pytest.mark.parametrize("fault", [429, (429, {"Retry-After": "0"}), 500, 503, NONSENSE, CUT, RESET, PAGE])
def test_a_fault_of_the_server_is_tried_again(server, fault):
    server.before = [fault, fault]
    found = model(server, parallel=1).answer(texts("ремонт"))
    assert found.status == ["ok"] and len(server.asked) == 3


def test_a_slow_answer_is_not_waited_for(server):
    server.before, server.slow_s = [SLOW], 20
    found = model(server, timeout_s=0.5).answer(texts("ремонт"))
    assert found.status == ["ok"] and len(server.asked) == 2  # the slow one would have been an answer


def test_retry_after_holds_all_requests_back(server, waits):
    server.before = [(429, {"Retry-After": "300"})]
    waits.of(model(server, parallel=1)).answer(texts("ремонт", "купить"))
    assert waits.taken == [300] and len(server.asked) == 3
    server.before = [(429, {"Retry-After": "7200"})]
    with pytest.raises(UserError, match="in 120 minutes"):
        waits.of(model(server)).answer(texts("аналог"))


def test_a_server_that_is_down_ends_the_run_and_what_is_done_is_kept(server, tmp_path):
    path = tmp_path / "answers.sqlite"
    server.before = [200, 200, *[503] * 9]
    words = ["ремонт"] * 8
    with pytest.raises(UserError) as caught:
        model(server, path, parallel=1, max_failed=1.0).answer(texts(*words))
    assert caught.value.exit_code == 2 and "the server does not answer" in str(caught.value)
    assert "3 tries" in str(caught.value) and "status 503" in str(caught.value) and len(server.asked) == 11
    model(server, path, parallel=1).answer(texts(*words))
    assert len(server.asked) == 11 + 6


@pytest.mark.parametrize("parallel", [1, 8])
def test_where_nobody_listens_the_server_is_named_however_few_records_may_fail(parallel):
    with serving({}) as gone:
        pass
    with pytest.raises(UserError, match="the server does not answer") as caught:
        model(gone, tries=2, max_failed=0.0, parallel=parallel).answer(texts(*["ремонт"] * 5))
    assert caught.value.exit_code == 2


def test_records_that_the_server_fails_are_too_many_as_soon_as_it_answers_another(server):
    server.always = {"ножницы": 500}
    failing, known = [Text("ножницы 1"), Text("ножницы 2")], texts("ремонт", "купить")
    with pytest.raises(GateFailed, match="2 of 3.*status 500") as caught:
        model(server, tries=1, parallel=1, max_failed=0.005).answer([*failing, *known])
    assert "see what the server says" in str(caught.value.do)
    with pytest.raises(GateFailed, match="2 of 2"):
        model(server, tries=1, parallel=1, max_failed=0.005).answer(failing)


def test_few_failures_among_the_first_records_end_nothing_and_many_do_soon(server):
    server.always = {"ножницы": 500}
    some = [Text(f"{'ножницы' if number in (10, 30) else 'ремонт'} {number}") for number in range(300)]
    assert model(server, tries=1).answer(some).status.count("failed") == 2
    before = len(server.asked)
    many = [Text(f"{'ножницы' if number % 4 == 0 else 'купить'} {number}") for number in range(300)]
    with pytest.raises(GateFailed, match="too many records"):
        model(server, tries=1).answer(many)
    assert len(server.asked) - before < 60


def test_a_record_without_an_answer_has_failed_and_too_many_stop_the_run(server):
    server.always = {"пила": 500}
    found = model(server, max_failed=0.5, parallel=1).answer([*texts("ремонт", "купить"), Text("пила")])
    assert found.status == ["ok", "ok", "failed"] and np.isnan(found.probabilities[2]).all()
    with pytest.raises(GateFailed) as caught:
        model(server, max_failed=0.0, parallel=1).answer([*texts("ремонт", "купить"), Text("пила")])
    assert "1 of 3 (at most 0.0%)" in str(caught.value) and "status 500" in str(caught.value)


def test_an_answer_that_names_no_label_is_asked_again_and_then_fails(server):
    server.table = {**TABLE, "ремонт": {"не знаю": 1.0}}
    found = model(server, max_failed=1.0).answer(texts("ремонт", "купить"))
    assert found.status == ["failed", "ok"] and len(server.asked) == 3


def test_an_answer_that_names_no_label_is_paid_once_and_read_again_under_other_words(server, tmp_path):
    path, prompt = tmp_path / "answers.sqlite", "Text: {record}"
    server.table = {"ремонт": {"не знаю": 1.0}}
    for _ in range(2):
        with pytest.raises(GateFailed, match="names no label: 'не знаю'"):
            model(server, path, prompt=prompt, max_failed=0.0).answer(texts("ремонт"))
        assert len(server.asked) == 2
    assert model(server, path, prompt=prompt).expected(texts("ремонт")).requests == 0
    found = model(server, path, prompt=prompt, words={"рядом": "не знаю"}).answer(texts("ремонт"))
    assert found.probabilities[0].argmax() == 1 and len(server.asked) == 2


def test_a_text_that_the_server_refuses_fails_alone_unless_none_was_accepted(server, tmp_path):
    server.always = {"пила": 400}
    found = model(server, max_failed=0.5, parallel=1).answer([*texts("ремонт"), Text("пила")])
    assert found.status == ["ok", "failed"]
    with pytest.raises(UserError, match="refuses the request"):
        model(server, max_failed=1.0).answer([Text("пила")])
    path = tmp_path / "answers.sqlite"  # of a run that this server has answered before
    model(server, path).answer(texts("ремонт"))
    assert model(server, path, max_failed=1.0).answer([Text("пила")]).status == ["failed"]


def test_another_model_ends_the_run(server):
    server.model = "vendor/тест-7b-2026"
    assert model(server).answer(texts("ремонт")).status == ["ok"]
    server.model = "gpt-other"
    with pytest.raises(UserError, match="answered by 'gpt-other'"):
        model(server).answer(texts("купить"))


def test_the_key_is_sent_and_never_told(server, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="LLM_TEST_KEY"):
        model(server, key_from="LLM_TEST_KEY").answer(texts("ремонт"))
    monkeypatch.setenv("LLM_TEST_KEY", "sk-secret-1")
    path = tmp_path / "answers.sqlite"
    model(server, path, key_from="LLM_TEST_KEY").answer(texts("ремонт"))
    assert server.keys == ["Bearer sk-secret-1"]
    server.before = [401]  # this server repeats the headers in its words
    with pytest.raises(UserError, match="refuses the key") as caught:
        model(server, path, key_from="LLM_TEST_KEY").answer(texts("купить"))
    assert "***" in str(caught.value) and "sk-secret-1" not in str(caught.value)
    assert not any(b"sk-secret-1" in one.read_bytes() for one in tmp_path.iterdir())


def test_a_request_that_could_exceed_the_limit_is_not_made(server, tmp_path):
    path, notes = tmp_path / "answers.sqlite", Notes()
    prices = {"per_million_input": 1e4, "per_million_output": 1e4}  # 0.52 a request
    many = texts(*["ремонт"] * 20)
    with pytest.raises(UserError) as caught:
        model(server, path, spend={"limit": 8.0, **prices}).answer(many)
    made, most = len(server.asked), (len(server.prompts[0].encode()) + 16 + 8) / 100
    assert caught.value.exit_code == 2 and "the spending limit is reached" in str(caught.value)
    assert made == 1 + int((8 - most) / 0.52) and f"{made * 0.52:.4g} of 8 spent" in str(caught.value)
    with reporting(notes):
        found = model(server, path, spend={"limit": 60.0, **prices}).answer(many)
    assert len(server.asked) == 20 and found.cost == pytest.approx((20 - made) * 0.52)
    assert "20 texts answered" in notes.lines[-1] and "10.4 spent of 60 in this run" in notes.lines[-1]


def test_the_limit_holds_and_the_outlook_prices_answers_whose_length_is_given_in_the_servers_own_key():
    with serving(TABLE, usage={"prompt_tokens": 50, "completion_tokens": 900}, think_s=0.02) as server:
        spend = {"limit": 0.105, "per_million_input": 0, "per_million_output": 10}
        one = model(server, parameters={"max_completion_tokens": 1000}, spend=spend)
        many = texts(*["ремонт"] * 40)
        assert one.expected(many).cost == pytest.approx(40 * 1000 * 10 / 1e6)
        with pytest.raises(UserError, match="the spending limit is reached"):
            one.answer(many)
    assert one.spent == pytest.approx(11 * 0.009) and len(server.asked) == 11
    assert server.asked[0]["max_completion_tokens"] == 1000 and "max_tokens" not in server.asked[0]


@pytest.mark.parametrize("most", [0, -1, 5.5, "8", True, None])
def test_a_length_of_answers_that_is_no_number_is_refused(most):
    with pytest.raises(ValidationError, match="'max_completion_tokens' needs a whole number"):
        settings(parameters={"max_completion_tokens": most})


@pytest.mark.parametrize("given", [{}, {"per_million_input": 1.0}, {"per_million_output": 1.0}])
def test_a_limit_without_both_prices_is_refused(given):
    with pytest.raises(ValidationError) as caught:
        Spend(limit=1.0, **given)
    missing = {"per_million_input", "per_million_output"} - given.keys()
    assert all(price in str(caught.value) for price in missing)
    assert Spend(limit=1.0, per_million_input=0, per_million_output=2.0).cost(5, 10**6) == 2.0


def test_what_a_server_does_not_count_costs_the_most_that_it_can(server):
    server.usage = None
    one = model(server, spend={"per_million_input": 1e6})
    one.answer(texts("ремонт"))
    assert one.spent == len(server.prompts[0].encode()) + 16


def test_what_texts_would_take_is_told_without_asking(server, tmp_path):
    one = model(server, tmp_path / "a", spend=Spend(per_million_input=1e6, per_million_output=1e6))
    one.answer(texts("ремонт"))
    before = len(server.asked)
    found = one.expected([*texts("ремонт", "купить"), *texts("ремонт", "купить"), Text("")])
    assert (found.requests, found.answered, found.repeated) == (1, 2, 1) and len(server.asked) == before
    assert found.input_tokens == pytest.approx(50) and found.cost == pytest.approx(50 + 8)


def test_so_many_requests_are_made_at_a_time(server):
    server.together = threading.Barrier(4, timeout=60)
    found = model(server, parallel=4, timeout_s=60, tries=1).answer(texts(*["ремонт"] * 8))
    assert found.status == ["ok"] * 8 and server.most == 4


def test_examples_are_shown_and_a_record_never_sees_its_own_answer(server):
    shown = [Shown("дрель 0 ремонт", 0), Shown("пила купить", 2)]
    model(server, parallel=1, examples=shown).answer(texts("ремонт", "аналог"))
    own, other = server.prompts
    assert "пила купить\nAnswer: точно" in own and "Answer: мимо" not in own
    assert "дрель 0 ремонт\nAnswer: мимо" in other


def test_labels_and_words(server):
    server.table = {"ремонт": {"repair": 0.6, "buy": 0.4}}
    words = {"мимо": "repair", "рядом": "near", "точно": "buy"}
    found = model(server, words=words).answer(texts("ремонт"))
    assert found.probabilities[0].argmax() == 0 and found.probabilities[0, 1] < 1e-3
    assert len(LABELS) == found.probabilities.shape[1]
