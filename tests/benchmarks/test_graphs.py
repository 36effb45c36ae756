"""The benchmark of graphs on a tiny encoder: every form answers as the shipped file does, and the page is written."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest

from benchmarks import graphs
from benchmarks.family_checkpoints import FAMILIES, write_checkpoint
from benchmarks.figures import fill
from benchmarks.graph_floor import gemm_floor
from benchmarks.graph_forms import SHIPPED, write_forms
from benchmarks.graph_models import card, write_classifier
from benchmarks.result_kinds import kind_of
from benchmarks.rounds import Rounds, interleaved, ratio
from distill.core.view import View
from distill.models import to_onnx

MERGED = "int8, queries, keys and values in one product"
WITH_PRODUCTS = "int8, attention and its products as one operator"
WITHOUT_MASK_WITH_PRODUCTS = "int8 without a mask, attention and its products as one operator"
FEW = ["--tokens", "9", "--threads", "1", "--rounds", "3", "--starts", "1"]


@pytest.fixture(scope="module")
def encoder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder") / "bert"
    write_checkpoint(FAMILIES["BERT"], ["a drill and a saw", "b black"], folder)
    return folder


@pytest.fixture(scope="module")
def made(encoder, tmp_path_factory):
    """The facts of a classifier, its folder and its forms."""
    folder = tmp_path_factory.mktemp("forms")
    facts = write_classifier(encoder, folder / "model", 24)
    to_onnx.export_fp32(folder / "model", folder / "fp32.onnx")
    return facts, folder / "model", write_forms(folder / "fp32.onnx", folder, facts["heads"])


@pytest.fixture(scope="module")
def stored(encoder, tmp_path_factory):
    """A stored result, what the command printed, and its page."""
    root = tmp_path_factory.mktemp("root")
    (root / "README.md").touch()
    for part in ("docs", "benchmarks/results"):
        (root / part).mkdir(parents=True)
    code = graphs.main(["--encoder", str(encoder), *FEW, "--store", "graphs", "--root", str(root)])
    result = json.loads((root / "benchmarks" / "results" / "graphs.json").read_text())
    return code, result, (root / "docs" / "results" / "graphs.md").read_text()


def answers(path):
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    ids = np.random.default_rng(1).integers(5, 12, (1, 13))
    batch = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
    return session.run(None, {item.name: batch[item.name] for item in session.get_inputs()})[0]


@pytest.mark.slow
def test_every_form_gives_the_logits_of_the_shipped_one(made):
    _, _, files = made
    expected = answers(files[SHIPPED])
    near = {name: np.abs(answers(path) - expected).max() for name, path in files.items()}
    assert {name for name, difference in near.items() if difference > 0.02} == set()
    assert all(near[name] < 1e-6 for name in (MERGED, WITH_PRODUCTS, WITHOUT_MASK_WITH_PRODUCTS))


@pytest.mark.slow
def test_forms_are_what_they_are_called(made):
    _, _, files = made
    models = {name: onnx.load(path) for name, path in files.items()}
    operators = {name: [node.op_type for node in model.graph.node] for name, model in models.items()}
    # Queries, keys and values in three layers, keys and values in the last, where queries are of [CLS] alone.
    merged = operators[MERGED]
    assert merged.count("MatMulInteger") == operators[SHIPPED].count("MatMulInteger") - 3 * 2 - 1
    fused = operators["int8, attention as one operator"]
    assert (fused.count("MultiHeadAttention"), fused.count("Softmax")) == (4, 0)
    for form in (WITH_PRODUCTS, WITHOUT_MASK_WITH_PRODUCTS):
        assert (operators[form].count("QAttention"), operators[form].count("Softmax")) == (3, 1)
    inputs = {name: [value.name for value in model.graph.input] for name, model in models.items()}
    assert inputs["int8 without a mask"] == inputs[WITHOUT_MASK_WITH_PRODUCTS] == ["input_ids", "token_type_ids"]
    assert inputs["int8, one input: no mask, one segment"] == ["input_ids"]
    assert "QuantizeLinear" in operators["int8 with static scales"]


def test_the_floor_has_the_products_of_the_model_alone():
    model = gemm_floor({"layers": 3, "width": 8, "inner": 32, "heads": 2}, 5)
    operators = [node.op_type for node in model.graph.node]
    assert (operators.count("MatMulInteger"), operators.count("MatMul")) == (2 * 4 + 5, 3 * 2)
    assert set(operators) == {"MatMulInteger", "MatMul"}
    exact = gemm_floor({"layers": 3, "width": 8, "inner": 32, "heads": 2}, 5, exact=True)
    assert [node.op_type for node in exact.graph.node] == ["MatMul"] * len(operators)


@pytest.mark.slow
@pytest.mark.parametrize("tokens", [3, 9, 24])
def test_a_card_has_exactly_so_many_tokens(made, tokens):
    renderer = View.load(made[1]).renderer()
    assert renderer.encode(card(renderer, tokens)).read_tokens == tokens


def test_rounds_ask_each_in_turn_and_time_only_what_is_measured():
    asked, now = [], [0]

    def ask(name, nanoseconds):
        def call():
            asked.append(name)
            now[0] += nanoseconds

        return call

    subjects = {"a": ask("a", 2_000_000), "b": ask("b", 1_000_000)}
    times = interleaved(subjects, Rounds(2, 1, 2), clock=lambda: now[0])
    assert "".join(asked) == "aaabbbaaabbb"
    assert {name: found.tolist() for name, found in times.items()} == {"a": [2, 2], "b": [1, 1]}


def test_the_interval_of_a_ratio_is_that_of_a_median():
    chance, held = np.random.default_rng(1), 0
    for _ in range(400):
        found = ratio(chance.lognormal(0, 0.2, 40), np.ones(40))
        held += found["low"] <= 1 <= found["high"]
    assert held / 400 >= 0.94
    assert ratio(np.array([4.0, 6, 5]), np.array([2.0, 3, 2.5]))["value"] == 2


@pytest.mark.slow
def test_the_command_stores_forms_ratios_and_starts_with_a_page(stored):
    code, result, page = stored
    assert code == 0
    assert {row["form"] for row in result["rows"]} >= {SHIPPED, graphs.BEFORE, graphs.FLOOR, graphs.EXACT_FLOOR}
    assert result["ratios"]["4 × 32, 9 tokens, 1 threads: fp32 vs floor"]["value"] < 1
    key = "4 × 32, 9 tokens, 1 threads: shipped vs before"
    assert result["ratios"][key]["low"] <= result["ratios"][key]["value"] <= result["ratios"][key]["high"]
    assert [(one["artifact"], one["start"]) for one in result["starts"]] == [
        ("fp32", "first"), ("fp32", "later"), ("int8", "first"), ("int8", "later"),
    ]  # fmt: skip
    assert all(one["ms"]["total"] >= one["ms"]["session"] > 0 for one in result["starts"])
    shipped = next(row for row in result["rows"] if row["form"] == SHIPPED)
    words = fill("{speed: 4 × 32, 9, 1, ratio}; {over_floor: 4 × 32, 9, 1}", result, kind_of(result).figures, "here")
    assert words.startswith(f"{shipped['ratio']['value']:.2f}× (") and shipped["least_ms"] <= shipped["median_ms"]
    assert "/tmp" not in result["command"] and "## 4 × 32, 9 tokens, 1 thread" in page and "## The start" in page


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--encoder", "nowhere"], "no encoder there"),
        (["--shape", "12by768"], "layers x width"),
        (["--shape", "2x64", "--optimum-python", "nowhere/python"], "optimum-cli is not there"),
    ],
)
def test_what_is_missing_is_named(encoder, capsys, given, message):
    start = [] if "--encoder" in given else ["--encoder", str(encoder)]
    assert graphs.main([*start, *FEW, *given]) == 2
    assert message in capsys.readouterr().err
