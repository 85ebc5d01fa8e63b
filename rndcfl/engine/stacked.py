"""One small network with the weights of many clients, run for all of them in one pass.

The weights are stacked: name -> tensor [N, ...]. A convolution sees the clients side by side, as
channels of one grouped convolution; a linear layer sees them as the batch of one matrix product.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

OF_IMAGES = (nn.Conv2d, nn.ReLU, nn.MaxPool2d, nn.AdaptiveAvgPool2d)
OF_VECTORS = (nn.Linear, nn.ReLU)


def stackable(network: nn.Module) -> TypeGuard[nn.Sequential]:
    """Whether :func:`forward` knows all layers of `network`.

    Convolutions, ReLU and pooling, flattened, then linear layers and ReLU, all in one
    ``nn.Sequential``. A subclass of one of these may compute something else and does not count;
    nor does a network that uses a layer or a weight twice, or keeps weights fixed.
    """
    if type(network) is not nn.Sequential:
        return False
    layers, parameters = list(network), list(network.parameters())
    flat = [i for i, layer in enumerate(layers) if type(layer) is nn.Flatten]
    ahead, behind = (layers[: flat[0]], layers[flat[0] + 1 :]) if flat else ([], layers)
    return (
        all(type(layer) in OF_IMAGES for layer in ahead)
        and all(type(layer) in OF_VECTORS for layer in behind)
        and isinstance([*ahead, *behind, None][0], nn.Conv2d if ahead else nn.Linear)
        and all(_usual(layer) for layer in layers)
        and all(p.requires_grad for p in parameters)
        and (len(set(layers)), len(parameters)) == (len(layers), len(network.state_dict()))
    )


def _usual(layer: nn.Module) -> bool:
    if isinstance(layer, nn.Conv2d):
        return (layer.groups, layer.dilation, layer.padding_mode) == (1, (1, 1), "zeros") and (
            layer.bias is not None
        )
    if isinstance(layer, nn.Flatten):
        return (layer.start_dim, layer.end_dim) == (1, -1)
    return not isinstance(layer, nn.Linear) or layer.bias is not None


def side_by_side(batches: Sequence[Tensor]) -> Tensor:
    """N clients' batches of images [n, C, H, W] as channels of n images: [n, N C, H, W].

    Copied client by client into channels-last memory, which takes a fraction of the time of a
    transposition and of the conversion after it.
    """
    n, channels, height, width = batches[0].shape
    together = batches[0].new_empty(n, height, width, len(batches), channels)
    for i, batch in enumerate(batches):
        together[:, :, :, i] = batch.permute(0, 2, 3, 1)
    return together.flatten(3).permute(0, 3, 1, 2)


def forward(network: nn.Module, parameters: dict[str, Tensor], x: Tensor) -> Tensor:
    """Outputs [N, n, outputs] of the network with the weights of each client.

    Parameters
    ----------
    network : for its layers; its own weights are not used.
    parameters : name -> tensor [N, ...].
    x : images :func:`side_by_side`, or [n, C, H, W] that all see; vectors [N, n, d] or [n, d].
    """
    if x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)  # about twice as fast on a CPU
    for name, layer in network.named_children():
        if isinstance(layer, nn.Conv2d):
            weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
            groups = x.shape[1] // layer.in_channels  # 1 where all see the same images
            x = F.conv2d(
                x, weight.flatten(0, 1), bias.flatten(), layer.stride, layer.padding, groups=groups
            )
        elif isinstance(layer, nn.Flatten):
            x = x.unflatten(1, (len(next(iter(parameters.values()))), -1))
            x = x.transpose(0, 1).flatten(2)
        elif isinstance(layer, nn.Linear):
            weight, bias = parameters[f"{name}.weight"], parameters[f"{name}.bias"]
            x = x @ weight.mT + bias[:, None]
        elif isinstance(layer, nn.ReLU):
            x = torch.relu(x)  # never in place: x may be what gradients are asked for
        else:
            x = layer(x)
    return x


def batches_from(x: Tensor) -> Callable[[Tensor], Tensor]:
    """A function from indices [N, n] of samples to the batches that :func:`forward` reads.

    Images are picked as rows of pixels: whole rows are copied at the speed of memory.
    """
    if x.ndim == 2:
        return lambda index: x[index]
    _, channels, height, width = x.shape
    rows = x.permute(0, 2, 3, 1).flatten(1)

    def draw(index: Tensor) -> Tensor:
        picked = (rows.index_select(0, own).view(-1, height, width, channels) for own in index)
        return side_by_side([batch.permute(0, 3, 1, 2) for batch in picked])

    return draw
