import pytest
import torch
import transformers as hf
from torch.nn import functional

from distill.models.encoder import load_classifier
from teachers.pretraining.embedding_teacher import LargerModel, mean_over
from teachers.pretraining.model import PretrainingModel, load, save

IGNORED = -100


@pytest.fixture
def model(start):
    torch.manual_seed(0)
    return load(start).eval()


def batch(rows=3, length=6):
    random = torch.Generator().manual_seed(1)
    words = torch.full((rows, length), IGNORED)
    words[0, 2], words[1, 4], words[2, 1] = 7, 9, 11
    return {
        "input_ids": torch.randint(5, 60, (rows, length), generator=random),
        "attention_mask": torch.ones(rows, length, dtype=torch.long),
        "token_type_ids": torch.tensor([[0, 0, 0, 1, 1, 1]] * rows),
        "words": words,
        "belongs": torch.tensor([1.0, 0.0, -1.0]),
        "shared": torch.tensor([[-1.0, 1.0, -1.0, 0.0, 1.0, -1.0]] * rows),
        "covered": torch.tensor([[0.5, 0.25]] * rows),
    }


def encode(model, inputs):
    return model.encoder(**{name: inputs[name] for name in ("input_ids", "attention_mask", "token_type_ids")})


def test_words_are_scored_against_the_input_embeddings(model):
    inputs = batch()
    hidden = encode(model, inputs).last_hidden_state
    states = torch.stack([hidden[0, 2], hidden[1, 4], hidden[2, 1]]).double()
    guess = model.guess.double()(states)
    logits = guess @ model.encoder.get_input_embeddings().weight.double().T + model.bias.double()
    expected = functional.cross_entropy(logits, torch.tensor([7, 9, 11]))
    model.guess.float()
    terms = model(**inputs)
    assert terms["words_loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert int(terms["words"]) == 3


def test_belonging_is_scored_on_pairs_only(model):
    inputs = batch()
    logits = model.judge(encode(model, inputs).pooler_output).squeeze(-1)
    expected = -(functional.logsigmoid(logits[0]) + functional.logsigmoid(-logits[1])) / 2
    terms = model(**inputs)
    assert terms["belongs_loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert int(terms["belongs"]) == 2 and int(terms["belongs_right"]) == int(logits[0] > 0) + int(logits[1] <= 0)


def test_what_stands_on_both_sides_is_asked_of_tokens_and_of_pairs(model):
    inputs = batch()
    output = encode(model, inputs)
    asked = inputs["shared"][0] >= 0
    tokens, target = model.find(output.last_hidden_state).squeeze(-1)[:, asked], inputs["shared"][:, asked]
    each = -(target * functional.logsigmoid(tokens) + (1 - target) * functional.logsigmoid(-tokens)).mean()
    shares, target = model.cover(output.pooler_output)[:2], inputs["covered"][:2]
    pairs = -(target * functional.logsigmoid(shares) + (1 - target) * functional.logsigmoid(-shares)).mean()
    assert model(**inputs)["shared_loss"].item() == pytest.approx((each + pairs).item(), rel=1e-5)


def test_a_batch_without_hidden_words_or_pairs_has_losses_of_zero(model):
    nothing = torch.full((3, 6), -1.0)
    inputs = batch() | {"words": torch.full((3, 6), IGNORED), "belongs": nothing[:, 0], "shared": nothing}
    terms = model(**inputs)
    assert [terms[f"{name}_loss"].item() for name in ("words", "belongs", "shared")] == [0, 0, 0]


def test_a_larger_encoders_terms_from_their_formulas(start):
    torch.manual_seed(0)
    model = load(start, larger_width=5).eval()
    inputs = {**batch(), "present": torch.tensor([True, True, True, True, True, False])}
    given = functional.normalize(torch.randn(6, 5), dim=-1)
    terms = model(**inputs, embeddings=given)
    hidden = encode(model, inputs).last_hidden_state
    sides = torch.cat([hidden[:, :3].mean(1), hidden[:, 3:].mean(1)])[:5]
    apart = [1 - functional.cosine_similarity(model.project(sides[i]), given[i], dim=0) for i in range(5)]
    relation = [
        (functional.cosine_similarity(sides[i], sides[j], dim=0) - given[i] @ given[j]) ** 2
        for i in range(5)
        for j in range(5)
        if i != j
    ]
    assert terms["hidden_loss"].item() == pytest.approx(float(sum(apart) / 5), rel=1e-4)
    assert terms["relation_loss"].item() == pytest.approx(float(sum(relation) / 20), rel=1e-4)


def test_a_mean_counts_the_marked_tokens_only():
    hidden = torch.tensor([[[1.0], [3.0], [100.0]], [[5.0], [5.0], [5.0]]])
    assert mean_over(hidden, torch.tensor([[1, 1, 0], [0, 0, 0]])).tolist() == [[2.0], [0.0]]


def test_a_larger_encoders_embeddings_have_length_one_and_ignore_padding(start):
    larger = LargerModel(start)
    ids, mask = torch.tensor([[2, 8, 9, 3, 0, 0]]), torch.tensor([[1, 1, 1, 1, 0, 0]])
    padded, plain = larger.embeddings(ids, mask), larger.embeddings(ids[:, :4], mask[:, :4])
    assert torch.allclose(padded, plain, atol=1e-5) and padded.norm() == pytest.approx(1.0, abs=1e-5)


def test_a_saved_model_loads_with_plain_transformers_as_float32_and_keeps_its_heads(model, start, tmp_path):
    expected = encode(model, batch()).last_hidden_state
    judge = model.judge.weight.detach().clone()
    save(model, tmp_path, half=True)
    plain = hf.AutoModel.from_pretrained(tmp_path).eval()
    assert plain.dtype == torch.float32
    again = encode(PretrainingModel(plain), batch()).last_hidden_state
    assert torch.allclose(again, expected, atol=0.02)
    assert torch.allclose(load(tmp_path).judge.weight, judge, atol=1e-3)
    assert load_classifier(tmp_path, ["a", "b"]).config.num_labels == 2
    half, full = tmp_path / "model.safetensors", start / "model.safetensors"
    assert half.stat().st_size < 0.6 * full.stat().st_size
