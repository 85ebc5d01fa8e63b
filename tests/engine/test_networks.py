import pytest
import torch
from torch import nn

from rndcfl.common.errors import InputError
from rndcfl.engine.networks import MODELS, build_model, encoder, multiply_adds, resnet18


def n_parameters(network):
    return sum(p.numel() for p in network.parameters())


def weights(network):
    return torch.cat([p.detach().flatten() for p in network.parameters()])


# --- random network distillation ----------------------------------------------------------------


@pytest.mark.parametrize("downsample", ["stride", "pool"])
@pytest.mark.parametrize("shape", [(1, 8, 8), (1, 28, 28), (3, 32, 32), (5,)])
def test_encoder_maps_samples_to_embeddings(shape, downsample):
    network = encoder(shape, (2, 4), 6, downsample)
    assert network(torch.rand(3, *shape)).shape == (3, 6)


def test_authors_networks_cost_what_the_paper_says():
    target = encoder((3, 32, 32), (32, 64), 64, "pool")
    predictor = encoder((3, 32, 32), (2, 4), 64, "pool")
    convolutions = 32 * 32 * 9 * 3 * 32 + 16 * 16 * 9 * 32 * 64
    assert multiply_adds(target, (3, 32, 32)) == convolutions + 16 * 64 * 64
    assert round(multiply_adds(target, (3, 32, 32)) / 1e6, 2) == 5.67
    assert round(multiply_adds(predictor, (3, 32, 32)) / 1e6, 3) == 0.078
    assert round(4 * n_parameters(predictor) / 1e3, 1) == 17.2  # kB


def test_strides_save_multiply_adds():
    network = encoder((1, 28, 28), (2, 4), 6, "stride")
    by_hand = 14 * 14 * 9 * 1 * 2 + 7 * 7 * 9 * 2 * 4 + 16 * 4 * 6
    assert multiply_adds(network, (1, 28, 28)) == by_hand


def test_encoder_of_tables():
    network = encoder((20,), (2, 4), 6, "stride")
    assert n_parameters(network) == 20 * 6 + 6 + 6 * 6 + 6
    assert multiply_adds(network, (20,)) == 20 * 6 + 6 * 6


@pytest.mark.parametrize("downsample, first", [("stride", 10), ("pool", 20)])
def test_encoder_of_lines_of_text(downsample, first):
    network = encoder((8, 1, 20), (4, 6), 5, downsample)
    assert network(torch.rand(3, 8, 1, 20)).shape == (3, 5)
    # Halved along the line, never across: there is one row.
    by_hand = first * 9 * 8 * 4 + first // 2 * 9 * 4 * 6 + 4 * 6 * 5
    assert multiply_adds(network, (8, 1, 20)) == by_hand


def test_encoder_of_short_lines():
    assert encoder((8, 1, 2), (4, 6), 5, "stride")(torch.rand(3, 8, 1, 2)).shape == (3, 5)


def test_weights_are_kaiming_normal_and_biases_zero():
    torch.manual_seed(0)
    layers = [m for m in encoder((3, 8, 8), (64, 64), 64, "pool") if hasattr(m, "weight")]
    for layer, inputs in zip(layers, (27, 576, 1024), strict=True):
        assert layer.weight.std().item() == pytest.approx((2 / inputs) ** 0.5, rel=0.1)
        assert not layer.bias.any()


@pytest.mark.parametrize(
    "shape, downsample, message",
    [
        ((3, 8, 8), "strides", "unknown downsample 'strides'; did you mean 'stride'"),
        ((8, 8), "stride", r"no encoder for samples of shape \(8, 8\)"),
    ],
)
def test_encoder_refuses(shape, downsample, message):
    with pytest.raises(InputError, match=message):
        encoder(shape, (2, 4), 6, downsample)


# --- task models --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in MODELS if name not in ("gru", "conv1d")])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 32, 32)])
def test_models_have_one_output_per_class(name, shape):
    network = build_model(name, shape, 7, seed=0).eval()
    assert network(torch.rand(2, *shape)).shape == (2, 7)


def test_conv1d():
    network = build_model("conv1d", (3, 64), 4, seed=0)
    assert network(torch.rand(2, 3, 64)).shape == (2, 4)
    by_hand = 32 * 5 * 3 * 16 + 16 * 5 * 16 * 32 + 128 * 64 + 64 * 4
    assert multiply_adds(network, (3, 64)) == by_hand
    assert build_model("conv1d", (1, 5), 4, seed=0)(torch.rand(2, 1, 5)).shape == (2, 4)


def test_mlp():
    network = build_model(None, (1, 28, 28), 10, seed=0)
    assert n_parameters(network) == 784 * 200 + 200 + 200 * 10 + 10
    assert multiply_adds(network, (1, 28, 28)) == 784 * 200 + 200 * 10
    assert torch.equal(weights(network), weights(build_model("mlp", (1, 28, 28), 10, seed=0)))
    assert build_model("mlp", (5,), 3, seed=0)(torch.rand(2, 5)).shape == (2, 3)


def test_cnn():
    network = build_model("cnn", (1, 28, 28), 10, seed=0)
    by_hand = 14 * 14 * 9 * 16 + 7 * 7 * 9 * 16 * 32 + 512 * 64 + 64 * 10
    assert multiply_adds(network, (1, 28, 28)) == by_hand


def test_resnet18_is_the_published_one():
    network = resnet18((3, 32, 32), 10)
    # 11,689,512 (torchvision, 1,000 classes) less 990 outputs and the smaller first kernel.
    assert n_parameters(network) == 11_689_512 - 990 * 513 - 64 * 3 * (49 - 9) == 11_173_962
    assert round(multiply_adds(network, (3, 32, 32)) / 1e9, 2) == 0.56


def test_resnet18_with_the_imagenet_stem():
    network = build_model("resnet18_imagenet", (3, 32, 32), 1000, seed=0)
    assert n_parameters(network) == 11_689_512
    assert round(multiply_adds(network, (3, 32, 32)) / 1e9, 2) == 0.04
    assert round(multiply_adds(network, (3, 224, 224)) / 1e9, 2) == 1.81


def test_gru():
    network = build_model("gru", (20,), 50, seed=0)
    assert network(torch.zeros(3, 20, dtype=torch.int64)).shape == (3, 20, 50)
    assert network(torch.zeros(3, 7, dtype=torch.int64)).shape == (3, 7, 50)  # of any length
    recurrent = 3 * 64 * (32 + 64)
    assert n_parameters(network) == 50 * 32 + recurrent + 2 * 3 * 64 + 64 * 50 + 50
    assert multiply_adds(network, (20,), torch.int64) == 20 * (recurrent + 64 * 50)


def test_gru_reads_from_left_to_right():
    network = build_model("gru", (6,), 9, seed=0)
    x = torch.arange(6)[None]
    other = x.clone()
    other[0, 3] = 8
    with torch.no_grad():
        changed = (network(x) != network(other)).any(2)[0]
    assert changed.tolist() == [False] * 3 + [True] * 3


@pytest.mark.parametrize("name", MODELS)
def test_a_model_is_a_function_of_the_seed(name, global_rng_untouched):
    shape = {"gru": (8,), "conv1d": (1, 8)}.get(name, (1, 8, 8))
    a, b, c = (weights(build_model(name, shape, 3, seed)) for seed in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)


def test_global_generator_does_not_matter():
    torch.manual_seed(1)
    first = weights(build_model("cnn", (1, 8, 8), 3, 0))
    torch.manual_seed(2)
    assert torch.equal(first, weights(build_model("cnn", (1, 8, 8), 3, 0)))


def test_own_factory():
    network = build_model(lambda shape, n_classes: nn.Linear(shape[0], n_classes), (5,), 3, 0)
    assert isinstance(network, nn.Linear)
    assert network.weight.shape == (3, 5)


def test_a_key_names_other_initial_weights():
    keys = ((), ("ifca", 0), ("ifca", 1))
    first, again = ([weights(build_model("mlp", (5,), 3, 0, *key)) for key in keys] for _ in "ab")
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert len(torch.unique(torch.stack(first), dim=0)) == 3


@pytest.mark.parametrize(
    "model, shape, message",
    [
        ("resnet", (3, 8, 8), "unknown model 'resnet'; did you mean 'resnet18'"),
        (5, (3, 8, 8), r"model must be a name or a factory \(shape, n_classes\), got 5"),
        ("cnn", (5,), r"model 'cnn' needs images .* got samples of shape \(5,\)"),
        ("resnet18", (5,), "model 'resnet18' needs images"),
        ("resnet18_imagenet", (5,), "needs images"),
        ("gru", (1, 8, 8), r"model 'gru' needs text .* got samples of shape \(1, 8, 8\)"),
    ],
)
def test_build_model_refuses(model, shape, message):
    with pytest.raises(InputError, match=message):
        build_model(model, shape, 3, seed=0)


def test_unknown_stem():
    with pytest.raises(InputError, match="unknown stem of resnet18 'cifar10'; did you mean"):
        resnet18((3, 8, 8), 3, stem="cifar10")


@pytest.mark.parametrize("training", [True, False])
def test_counting_leaves_the_network_as_it_was(training):
    network = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)).train(training)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert multiply_adds(network, (1, 8, 8)) == 6 * 6 * 9 * 2
    assert network.training == training and network[1].training == training
    assert all(torch.equal(before[k], v) for k, v in network.state_dict().items())


def test_counting_a_model_of_text():
    network = nn.Sequential(nn.Embedding(10, 4), nn.Flatten(), nn.Linear(12, 2))
    assert multiply_adds(network, (3,), torch.int64) == 12 * 2
