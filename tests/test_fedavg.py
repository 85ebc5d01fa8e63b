import numpy as np
import pytest
import torch
from torch import nn

from rndcfl.common.errors import InputError
from rndcfl.common.metrics import IGNORED
from rndcfl.engine.local import (
    LocalTraining,
    copy_state,
    cross_entropy,
    evaluate,
    evaluate_on,
    outputs,
    train_locally,
)
from rndcfl.engine.networks import build_model
from rndcfl.fedavg import average


def rng(seed=0):
    return np.random.default_rng(seed)


def weights(values, dtype=torch.float32):
    return {"w": torch.tensor(values, dtype=dtype)}


# --- averaging ----------------------------------------------------------------------------------


def test_average_by_hand():
    result = average([weights([0.0, 4.0]), weights([4.0, 8.0])], [1, 3])
    torch.testing.assert_close(result["w"], torch.tensor([3.0, 7.0]))


def test_average_of_one_is_itself():
    state = weights([0.1, 1e30])
    assert torch.equal(average([state], [5])["w"], state["w"])


def test_a_weight_of_zero_does_not_count():
    result = average([weights([1.0]), weights([5.0])], [0, 2])
    assert torch.equal(result["w"], torch.tensor([5.0]))


def test_buffers_are_averaged_in_their_own_type():
    models = [nn.BatchNorm1d(2) for _ in range(2)]
    for model, mean, batches in zip(models, ([0.0, 1.0], [4.0, 5.0]), (0, 5), strict=True):
        model.running_mean.copy_(torch.tensor(mean))
        model.num_batches_tracked.fill_(batches)
    result = average([copy_state(model) for model in models], [1, 3])
    torch.testing.assert_close(result["running_mean"], torch.tensor([3.0, 4.0]))
    assert result["num_batches_tracked"].dtype == torch.int64
    assert result["num_batches_tracked"].item() == 4  # 3.75, rounded
    models[0].load_state_dict(result)


def test_average_leaves_the_models_alone():
    states = [weights([0.0]), weights([1.0])]
    average(states, [1, 1])
    assert [float(state["w"]) for state in states] == [0, 1]


@pytest.mark.parametrize(
    "states, shares, message",
    [
        ([], [], "0 models and 0 weights"),
        ([weights([1.0])], [1, 2], "1 models and 2 weights"),
        ([weights([1.0])] * 2, [0, 0], r"not all zero, got \[0.0, 0.0\]"),
        ([weights([1.0])] * 2, [2, -1], "must not be negative"),
        ([weights([1.0])] * 2, [1, float("nan")], "must not be negative"),
    ],
)
def test_nothing_to_average(states, shares, message):
    with pytest.raises(InputError, match=message):
        average(states, shares)


# --- batches ------------------------------------------------------------------------------------


def test_an_epoch_visits_every_sample_once():
    batches = LocalTraining(batch_size=4, local_epochs=3).batches(10, rng())
    assert [len(batch) for batch in batches] == [4, 4, 2] * 3
    orders = [np.concatenate(batches[k : k + 3]) for k in (0, 3, 6)]
    for order in orders:
        assert sorted(order) == list(range(10))
    assert len({tuple(order) for order in orders}) == 3


@pytest.mark.parametrize("steps", [1, 3, 5, 7])
def test_local_steps_count_batches_instead_of_epochs(steps):
    batches = LocalTraining(batch_size=4, local_epochs=9, local_steps=steps).batches(10, rng())
    assert [len(batch) for batch in batches] == ([4, 4, 2] * 3)[:steps]
    assert len(np.unique(np.concatenate(batches[:3]))) == min(10, 4 * steps)


@pytest.mark.parametrize("batch_size", [None, 10, 32])
def test_a_full_batch_holds_all_samples_in_every_step(batch_size):
    for training in (
        LocalTraining(batch_size=batch_size, local_steps=2),
        LocalTraining(batch_size=batch_size, local_epochs=2),
    ):
        assert [sorted(b) for b in training.batches(10, rng())] == [list(range(10))] * 2


def test_batches_follow_the_generator():
    a, b, c = (np.concatenate(LocalTraining().batches(50, rng(seed))) for seed in (0, 0, 1))
    assert np.array_equal(a, b) and not np.array_equal(a, c)


@pytest.mark.parametrize(
    "values, message",
    [
        (dict(lr=-0.1), "lr must be a number of at least 0.0, got -0.1"),
        (dict(lr=float("nan")), "lr must be a number"),
        (dict(local_epochs=0), "local_epochs must be a whole number of at least 1, got 0"),
        (dict(local_steps=0), "local_steps must be a whole number of at least 1, got 0"),
        (dict(local_steps=1.5), "local_steps must be a whole number"),
        (dict(batch_size=0), "batch_size must be a whole number of at least 1, got 0"),
    ],
)
def test_unusable_training(values, message):
    with pytest.raises(InputError, match=message):
        LocalTraining(**values)


# --- local training -----------------------------------------------------------------------------


@pytest.fixture
def linear_task():
    """A linear model of 3 inputs and 2 classes, and 5 samples."""
    model = nn.Linear(3, 2)
    with torch.no_grad():
        model.weight.copy_(torch.tensor([[0.1, -0.2, 0.3], [0.0, 0.5, -0.1]]))
        model.bias.copy_(torch.tensor([0.05, -0.05]))
    x = torch.from_numpy(rng().random((5, 3), dtype=np.float32))
    return model, x, torch.tensor([0, 1, 1, 0, 1])


def gradient_step(w, b, x, y, lr):
    """One step of softmax regression, in NumPy."""
    scores = np.exp(x @ w.T + b)
    slope = (scores / scores.sum(1, keepdims=True) - np.eye(2)[y]) / len(x)
    return w - lr * slope.T @ x, b - lr * slope.sum(0)


@pytest.mark.parametrize("steps", [1, 3])
def test_full_batch_steps_of_a_linear_model_equal_the_formula(linear_task, steps):
    model, x, y = linear_task
    start = copy_state(model)
    w, b = (start[name].double().numpy() for name in ("weight", "bias"))
    for _ in range(steps):
        w, b = gradient_step(w, b, x.double().numpy(), y.numpy(), 0.5)
    training = LocalTraining(lr=0.5, local_steps=steps, batch_size=None)
    state, seen = train_locally(model, start, x, y, training, rng())
    np.testing.assert_allclose(state["weight"], w, rtol=1e-5)
    np.testing.assert_allclose(state["bias"], b, rtol=1e-5)
    assert seen == 5 * steps


def test_training_starts_where_told_and_leaves_the_start_alone(linear_task):
    model, x, y = linear_task
    start = copy_state(model)
    kept = {name: value.clone() for name, value in start.items()}
    with torch.no_grad():
        model.weight.fill_(99)
    training = LocalTraining(batch_size=2)
    first, seen = train_locally(model, start, x, y, training, rng())
    second, _ = train_locally(model, start, x, y, training, rng())
    assert seen == 5
    assert all(torch.equal(start[name], kept[name]) for name in kept)
    assert all(torch.equal(first[name], second[name]) for name in kept)
    assert not torch.equal(first["weight"], start["weight"])
    with torch.no_grad():
        model.weight.fill_(99)
    assert first["weight"].max() < 99


def test_a_learning_rate_of_zero_changes_nothing(linear_task):
    model, x, y = linear_task
    start = copy_state(model)
    state, _ = train_locally(model, start, x, y, LocalTraining(lr=0), rng())
    assert all(torch.equal(state[name], start[name]) for name in start)


def test_dropout_follows_the_generator_and_not_the_global_one(linear_task, global_rng_untouched):
    linear, x, y = linear_task
    model = nn.Sequential(nn.Dropout(0.5), linear)
    start = copy_state(model)

    def train(seed):
        state, _ = train_locally(model, start, x, y, LocalTraining(batch_size=None), rng(seed))
        return state["1.weight"]

    assert torch.equal(train(0), train(0))
    assert not torch.equal(train(0), train(1))


def test_buffers_are_part_of_the_state():
    model = nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 2))
    model.eval()  # as the last evaluation left it
    x = torch.ones(4, 3)
    state, _ = train_locally(
        model, copy_state(model), x, torch.tensor([0, 1, 0, 1]), LocalTraining(), rng()
    )
    torch.testing.assert_close(state["0.running_mean"], torch.full((3,), 0.1))
    assert state["0.num_batches_tracked"].item() == 1


def test_a_last_batch_of_one_sample_trains_a_model_with_batch_norm():
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    x, y = torch.arange(15.0).reshape(5, 3), torch.tensor([0, 1, 0, 1, 0])
    state, _ = train_locally(model, copy_state(model), x, y, LocalTraining(batch_size=4), rng())
    assert all(value.isfinite().all() for value in state.values())


# --- evaluation ---------------------------------------------------------------------------------


def test_evaluate_by_hand():
    # Logits 0 and log 3 whatever the sample: probabilities 1/4 and 3/4.
    model = nn.Linear(2, 2)
    state = {"weight": torch.zeros(2, 2), "bias": torch.tensor([0.0, np.log(3)])}
    loss, accuracy = evaluate(model, state, torch.rand(4, 2), torch.tensor([0, 1, 1, 1]))
    assert accuracy == 0.75
    assert loss == pytest.approx((np.log(4) + 3 * np.log(4 / 3)) / 4, rel=1e-6)


def test_evaluate_counts_every_sample_once_and_changes_no_state():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.9), nn.Linear(2, 2))
    state = copy_state(model)
    before = {name: value.clone() for name, value in state.items()}
    x = torch.rand(1100, 2, generator=torch.Generator().manual_seed(0))
    y = (torch.arange(1100) < 1030).long()
    loss, accuracy = evaluate(model, state, x, y)
    with torch.no_grad():
        logits = model.eval()(x)
    assert loss == pytest.approx(float(nn.functional.cross_entropy(logits, y)), rel=1e-5)
    assert accuracy == pytest.approx(float((logits.argmax(1) == y).double().mean()))
    assert all(torch.equal(model.state_dict()[name], before[name]) for name in before)


# --- text: a label for each place ---------------------------------------------------------------


class Always(nn.Module):
    """The same logits at every place of every text."""

    def __init__(self, logits):
        super().__init__()
        self.logits = nn.Parameter(torch.tensor(logits))

    def forward(self, x):
        return self.logits.expand(*x.shape, -1)


@pytest.fixture
def always():
    """Probabilities 1/4 and 3/4."""
    return Always([0.0, np.log(3)])


PLACES = torch.tensor([[0, 1, 1], [1, IGNORED, 1], [IGNORED, IGNORED, 0]])  # 2 zeros, 4 ones


def test_loss_and_accuracy_leave_out_what_is_not_asked_for(always):
    logits = always(torch.zeros(3, 3)).detach()
    assert logits.shape == (3, 3, 2)
    by_hand = (2 * np.log(4) + 4 * np.log(4 / 3)) / 6
    assert float(cross_entropy(logits, PLACES)) == pytest.approx(by_hand, rel=1e-6)
    loss, share = evaluate(always, copy_state(always), torch.zeros(3, 3), PLACES)
    assert (loss, share) == (pytest.approx(by_hand, rel=1e-6), pytest.approx(4 / 6))


def test_every_place_counts_the_same_not_every_text(always):
    """The first text has three labels, the last one: their mean is not the mean of means."""
    state, x = copy_state(always), torch.zeros(3, 3)
    each = [evaluate(always, state, x[k : k + 1], PLACES[k : k + 1])[1] for k in range(3)]
    assert each == pytest.approx([2 / 3, 1, 0])
    assert evaluate(always, state, x, PLACES)[1] == pytest.approx(4 / 6) != np.mean(each)


def test_a_label_per_sample_is_what_it_was():
    logits = torch.tensor([[2.0, 1, 0], [0, 1, 2], [0, 3, 1]])
    y = torch.tensor([0, 1, 1])
    assert torch.equal(cross_entropy(logits, y), nn.functional.cross_entropy(logits, y))


def test_what_is_not_asked_for_teaches_nothing(always):
    """One full-batch step: the slope of the logits is what softmax predicts less what is there."""
    state, _ = train_locally(
        always,
        copy_state(always),
        torch.zeros(3, 3),
        PLACES,
        LocalTraining(lr=1, batch_size=None),
        rng(),
    )
    slope = np.array([1 / 4 - 2 / 6, 3 / 4 - 4 / 6])
    np.testing.assert_allclose(state["logits"], [0, np.log(3)] - slope, rtol=1e-5)


def test_outputs_are_the_models_on_every_sample(always):
    x = torch.zeros(1100, 4)
    found = outputs(always, {"logits": torch.tensor([1.0, 2.0])}, x)
    assert found.shape == (1100, 4, 2)
    assert (found == torch.tensor([1.0, 2.0])).all()


def test_clients_are_evaluated_on_their_own_places(always):
    x = torch.zeros(3, 3)
    one, two = evaluate_on(always, copy_state(always), [(x[:1], PLACES[:1]), (x[1:], PLACES[1:])])
    assert one[1] == pytest.approx(2 / 3) and two[1] == pytest.approx(2 / 3)
    assert one[0] == pytest.approx((np.log(4) + 2 * np.log(4 / 3)) / 3, rel=1e-6)


def test_training_a_recurrent_model_lowers_its_loss():
    x = torch.from_numpy(np.arange(40 * 12).reshape(40, 12) % 7)  # each number follows the last
    y = (x + 1) % 7
    y[:, ::5] = IGNORED
    model = build_model("gru", (12,), 7, seed=0)
    start = copy_state(model)
    before, _ = evaluate(model, start, x, y)
    training = LocalTraining(lr=0.5, local_epochs=20, batch_size=8)
    state, seen = train_locally(model, start, x, y, training, rng())
    after, share = evaluate(model, state, x, y)
    assert seen == 20 * 40
    assert before == pytest.approx(np.log(7), abs=0.2)  # it knows nothing yet
    assert after < 0.5 * before and share > 0.9
