import pytest
import torch
import transformers as hf
from torch.nn import functional

from distill.models.encoder import load_classifier
from teachers.pretraining.embedding_teacher import EmbeddingTeacher, mean_over
from teachers.pretraining.model import PretrainingModel, load, save

IGNORED = -100


@pytest.fixture
def model(start):
    torch.manual_seed(0)
    return load(start).eval()


def batch(rows=3, length=6):
    random = torch.Generator().manual_seed(1)
    mlm = torch.full((rows, length), IGNORED)
    mlm[0, 2], mlm[1, 4], mlm[2, 1] = 7, 9, 11
    return {
        "input_ids": torch.randint(5, 60, (rows, length), generator=random),
        "attention_mask": torch.ones(rows, length, dtype=torch.long),
        "token_type_ids": torch.tensor([[0, 0, 0, 1, 1, 1]] * rows),
        "sides": torch.tensor([[0, 0, 0, 0, 1, 1]] * rows),
        "mlm": mlm,
        "pair_matching": torch.tensor([1.0, 0.0, -1.0]),
        "token_overlap": torch.tensor([[-1.0, 1.0, -1.0, 0.0, 1.0, -1.0]] * rows),
        "overlap_shares": torch.tensor([[0.5, 0.25]] * rows),
    }


def encode(model, inputs):
    return model.encoder(**{name: inputs[name] for name in ("input_ids", "attention_mask", "token_type_ids")})


def test_masked_words_are_scored_against_the_input_embeddings(model):
    inputs = batch()
    hidden = encode(model, inputs).last_hidden_state
    states = torch.stack([hidden[0, 2], hidden[1, 4], hidden[2, 1]]).double()
    guess = model.guess.double()(states)
    logits = guess @ model.encoder.get_input_embeddings().weight.double().T + model.bias.double()
    expected = functional.cross_entropy(logits, torch.tensor([7, 9, 11]))
    model.guess.float()
    terms = model(**inputs)
    assert terms["mlm_loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert int(terms["mlm_count"]) == 3


@pytest.mark.parametrize("kind", ["electra", "mobilebert", "rembert"])
def test_masked_words_are_guessed_in_the_width_of_the_input_embeddings(kind, tmp_path):
    inner = "input_embedding_size" if kind == "rembert" else "embedding_size"
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = hf.AutoConfig.for_model(kind, vocab_size=60, **sizes, **{inner: 16})
    made = PretrainingModel(hf.AutoModel.from_config(config)).eval()
    terms = made(**batch())
    assert torch.isfinite(terms["mlm_loss"]) and int(terms["mlm_count"]) == 3
    save(made, tmp_path, half=False)
    assert load(tmp_path).eval()(**batch())["mlm_loss"].item() == pytest.approx(terms["mlm_loss"].item(), rel=1e-5)


def test_pair_matching_is_scored_on_pairs_only(model):
    inputs = batch()
    logits = model.judge(encode(model, inputs).pooler_output).squeeze(-1)
    expected = -(functional.logsigmoid(logits[0]) + functional.logsigmoid(-logits[1])) / 2
    terms = model(**inputs)
    assert terms["pair_matching_loss"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert int(terms["pair_matching_count"]) == 2
    assert int(terms["pair_matching_right"]) == int(logits[0] > 0) + int(logits[1] <= 0)


def test_token_overlap_is_scored_on_tokens_and_on_pairs(model):
    inputs = batch()
    output = encode(model, inputs)
    asked = inputs["token_overlap"][0] >= 0
    tokens, target = model.find(output.last_hidden_state).squeeze(-1)[:, asked], inputs["token_overlap"][:, asked]
    each = -(target * functional.logsigmoid(tokens) + (1 - target) * functional.logsigmoid(-tokens)).mean()
    shares, target = model.cover(output.pooler_output)[:2], inputs["overlap_shares"][:2]
    pairs = -(target * functional.logsigmoid(shares) + (1 - target) * functional.logsigmoid(-shares)).mean()
    assert model(**inputs)["token_overlap_loss"].item() == pytest.approx((each + pairs).item(), rel=1e-5)


def test_a_batch_without_masked_words_or_pairs_has_losses_of_zero(model):
    nothing = torch.full((3, 6), -1.0)
    none = {"mlm": torch.full((3, 6), IGNORED), "pair_matching": nothing[:, 0], "token_overlap": nothing}
    inputs = batch() | none
    terms = model(**inputs)
    assert [terms[f"{name}_loss"].item() for name in ("mlm", "pair_matching", "token_overlap")] == [0, 0, 0]


def test_an_embedding_teachers_terms_from_their_formulas(start):
    torch.manual_seed(0)
    model = load(start, teacher_width=5).eval()
    inputs = {**batch(), "present": torch.tensor([True, True, True, True, True, False])}
    given = functional.normalize(torch.randn(6, 5), dim=-1)
    terms = model(**inputs, embeddings=given)
    hidden = encode(model, inputs).last_hidden_state
    sides = torch.cat([hidden[:, :4].mean(1), hidden[:, 4:].mean(1)])[:5]
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


def test_an_embedding_teachers_embeddings_have_length_one_and_ignore_padding(start):
    teacher = EmbeddingTeacher(start)
    ids, mask = torch.tensor([[2, 8, 9, 3, 0, 0]]), torch.tensor([[1, 1, 1, 1, 0, 0]])
    padded, plain = teacher.embeddings(ids, mask), teacher.embeddings(ids[:, :4], mask[:, :4])
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
