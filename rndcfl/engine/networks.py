"""Networks: the frozen target, the predictors that imitate it, and the task models.

Everything is an ordinary :class:`torch.nn.Module`; the simulation stacks and averages their
parameters from outside.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from rndcfl.common.errors import InputError, check_name
from rndcfl.common.seeding import torch_seeded

Shape = tuple[int, ...]
ModelFactory = Callable[[Shape, int], nn.Module]


def device() -> torch.device:
    """The GPU where PyTorch sees one, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


# --- random network distillation ----------------------------------------------------------------


def encoder(shape: Shape, widths: tuple[int, int], embedding: int, downsample: str) -> nn.Module:
    """Small network from one sample to an embedding; target and predictor differ in width only.

    Parameters
    ----------
    shape : shape of a sample: (C, H, W) for images, (C, 1, W) for lines of text, (d,) for tables.
    widths : channels of the two convolutions; for tables the hidden units are their sum.
    embedding : outputs (the authors: 64).
    downsample : ``"stride"`` halves the image inside the convolutions; ``"pool"`` by max-pooling
        between them, as in the authors' code (about eight times slower on a CPU).

    Returns
    -------
    torch.nn.Module
        Maps [n, \\*shape] to [n, embedding]. Weights are Kaiming-normal, biases zero (authors'
        code).
    """
    check_name("downsample", downsample, ("stride", "pool"))
    if len(shape) == 1:
        layers: list[nn.Module] = [
            nn.Linear(shape[0], sum(widths)),
            nn.ReLU(),
            nn.Linear(sum(widths), embedding),
        ]
    elif len(shape) == 3:
        stride = 2 if downsample == "stride" else 1
        lines = 1 if shape[1] == 1 else 4  # text is one pixel high
        size = (min(2, shape[1]), 2)
        pool = [nn.MaxPool2d(size)] if downsample == "pool" else []
        layers = [
            nn.Conv2d(shape[0], widths[0], 3, stride, padding=1),
            nn.ReLU(),
            *pool,
            nn.Conv2d(widths[0], widths[1], 3, stride, padding=1),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d((lines, 4)),
            nn.Flatten(),
            nn.Linear(4 * lines * widths[1], embedding),
        ]
    else:
        raise InputError(f"no encoder for samples of shape {shape}; give images or tables")
    return nn.Sequential(*layers).apply(_kaiming_normal)


def _kaiming_normal(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d | nn.Linear):
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
        assert module.bias is not None
        nn.init.zeros_(module.bias)


# --- task models --------------------------------------------------------------------------------


def mlp(shape: Shape, n_classes: int) -> nn.Module:
    """One hidden layer of 200 (as IFCA's for rotated MNIST)."""
    inputs = int(torch.tensor(shape).prod())
    return nn.Sequential(nn.Flatten(), nn.Linear(inputs, 200), nn.ReLU(), nn.Linear(200, n_classes))


def cnn(shape: Shape, n_classes: int) -> nn.Module:
    """Two 3x3 convolutions of stride 2 (16 and 32 channels) and one hidden layer of 64."""
    _images_only("cnn", shape)
    return nn.Sequential(
        nn.Conv2d(shape[0], 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(4),
        nn.Flatten(),
        nn.Linear(512, 64),
        nn.ReLU(),
        nn.Linear(64, n_classes),
    )


def conv1d(shape: Shape, n_classes: int) -> nn.Module:
    """For series: two convolutions over time of stride 2 (16 and 32 channels), a layer of 64."""
    if len(shape) != 2:
        raise InputError(f"model 'conv1d' needs series (C, T), got samples of shape {shape}")
    return nn.Sequential(
        nn.Conv1d(shape[0], 16, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.Conv1d(16, 32, 5, stride=2, padding=2),
        nn.ReLU(),
        nn.AdaptiveAvgPool1d(4),
        nn.Flatten(),
        nn.Linear(128, 64),
        nn.ReLU(),
        nn.Linear(64, n_classes),
    )


class _GRU(nn.Module):
    """Characters [n, length] -> logits of the next one at each place [n, length, classes]."""

    def __init__(self, n_classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(n_classes, 32)
        self.recurrent = nn.GRU(32, 64, batch_first=True)
        self.output = nn.Linear(64, n_classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.output(self.recurrent(self.embedding(x))[0])


def gru(shape: Shape, n_classes: int) -> nn.Module:
    """Character embedding of 32, one recurrent layer of 64, the next character at each place."""
    if len(shape) != 1:
        raise InputError(f"model 'gru' needs text [n, length], got samples of shape {shape}")
    return _GRU(n_classes)


class _Block(nn.Module):
    """Basic residual block (He et al., arXiv 1512.03385)."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Sequential()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs)
            )

    def forward(self, x: Tensor) -> Tensor:
        h = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(h + self.shortcut(x))


def resnet18(shape: Shape, n_classes: int, stem: str = "cifar") -> nn.Module:
    """ResNet-18 (He et al., arXiv 1512.03385).

    `stem` is ``"cifar"`` (3x3, stride 1, no pooling: 0.56 G multiply-adds for 32x32) or
    ``"imagenet"`` (7x7, stride 2, max-pooling, as in torchvision: 0.04 G).
    """
    _images_only("resnet18", shape)
    check_name("stem of resnet18", stem, ("cifar", "imagenet"))
    kernel, stride, padding = (3, 1, 1) if stem == "cifar" else (7, 2, 3)
    layers: list[nn.Module] = [
        nn.Conv2d(shape[0], 64, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
    ]
    if stem == "imagenet":
        layers.append(nn.MaxPool2d(3, 2, 1))
    for inputs, outputs, stride in ((64, 64, 1), (64, 128, 2), (128, 256, 2), (256, 512, 2)):
        layers += [_Block(inputs, outputs, stride), _Block(outputs, outputs, 1)]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, n_classes)]
    return nn.Sequential(*layers)


def resnet18_imagenet(shape: Shape, n_classes: int) -> nn.Module:
    """ResNet-18 with torchvision's ImageNet stem."""
    return resnet18(shape, n_classes, stem="imagenet")


MODELS: dict[str, ModelFactory] = {
    "mlp": mlp,
    "cnn": cnn,
    "conv1d": conv1d,
    "gru": gru,
    "resnet18": resnet18,
    "resnet18_imagenet": resnet18_imagenet,
}


def build_model(
    model: str | ModelFactory | None, shape: Shape, n_classes: int, seed: int, *key: str | int
) -> nn.Module:
    """A task model with weights drawn from the stream named by `seed` and `key`.

    Parameters
    ----------
    model : a name in :data:`MODELS` (None: ``"mlp"``), or your own factory
        ``(shape, n_classes) -> torch.nn.Module``.
    """
    if model is None or isinstance(model, str):
        model = MODELS[check_name("model", "mlp" if model is None else model, MODELS)]
    if not callable(model):
        raise InputError(f"model must be a name or a factory (shape, n_classes), got {model!r}")
    with torch_seeded(seed, "model", *key):
        return model(shape, n_classes)


def _images_only(name: str, shape: Shape) -> None:
    if len(shape) != 3:
        raise InputError(f"model {name!r} needs images (C, H, W), got samples of shape {shape}")


# --- cost ---------------------------------------------------------------------------------------


def multiply_adds(network: nn.Module, shape: Shape, dtype: torch.dtype = torch.float32) -> int:
    """Multiply-adds of one forward pass for one sample (convolutions and matrix products).

    A training step costs three times as much per sample: one pass forward, two backward.
    """
    where = next(network.parameters(), torch.empty(0, device=device())).device
    was_training = network.training
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network.eval()(torch.zeros(1, *shape, dtype=dtype, device=where))
    network.train(was_training)
    return int(counter.get_total_flops()) // 2
