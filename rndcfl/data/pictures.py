"""A folder of images: all in it are one client's, folders inside it are classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rndcfl.common.errors import InputError
from rndcfl.common.progress import progress
from rndcfl.given.arrays import reading

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
DEEP = {"I;16", "I;16B", "I;16L", "I;16N", "I"}  # Pillow's modes of 16 bits
GRAY = {"L", "1", "LA", "La"}
SIDE = 64  # pixels that images of different sizes are brought to


def pictures_in(folder: Path) -> list[tuple[Path, str]]:
    """Images below a folder in order of their names, and the folder inside it that each is in.

    Raises
    ------
    InputError
        If there are none, or some inside a class's folder and some beside it.
    """
    with reading(str(folder)):
        every = [(p, p.relative_to(folder).parts) for p in sorted(folder.rglob("*"))]
        every = [(p, parts) for p, parts in every if not any(map(_is_hidden, parts))]
        found = [p for p, _ in every if p.suffix.lower() in ENDINGS and p.is_file()]
    if not found:
        raise InputError(f"{folder} holds no images ({', '.join(ENDINGS)})")
    classes = [p.relative_to(folder).parts[0] if p.parent != folder else "" for p in found]
    if "" in classes and len(set(classes)) > 1:
        raise InputError(
            f"{folder} holds images beside its folders of images; put each class into a folder of "
            "its own, or all images into one"
        )
    if {name.lower() for name in classes} >= {"train", "test"}:
        raise InputError(
            f"{folder} holds folders train and test, which are no classes; give the one or the "
            "other, or arrays x, y, x_test, y_test as .npz"
        )
    return list(zip(found, classes, strict=True))


def read_pictures(
    folders: Sequence[tuple[str, Path]], size: int | None = None
) -> tuple[list[tuple[np.ndarray, list[str] | None]], list[str]]:
    """The images of each client as ``(x, y)``, and what was noticed.

    Parameters
    ----------
    folders : what each client is called, and its folder.
    size : pixels of both sides, to bring all images to; default as they are, and 64 where they
        differ.

    Returns
    -------
    x uint8 [n, 1, H, W] where all images are gray, else [n, 3, H, W] (int32 where all are gray of
    16 bits); y names of the classes, or None where there are no folders inside.
    """
    Image, ImageOps = _pillow()
    several = 0
    listed = [pictures_in(folder) for _, folder in folders]
    opened: list[list[Any]] = []
    bar = progress(desc="images", total=sum(map(len, listed)))
    for files in listed:
        own = []
        for path, _ in files:
            with reading(f"{path} is no image: it"), Image.open(path) as image:
                several += getattr(image, "n_frames", 1) > 1
                own.append(ImageOps.exif_transpose(image).copy())
            bar.update()
        opened.append(own)
    bar.close()
    every = [image for own in opened for image in own]
    said, sizes = [], {image.size for image in every}
    if size is None and len(sizes) > 1:
        size = SIDE
        said.append(
            f"images have {len(sizes)} different sizes; all are brought to {SIDE} x {SIDE} pixels, "
            "size= takes another"
        )
    if several:
        said.append(f"{several} images have several frames or pages; the first of each is taken")
    with reading("images"):
        arrays = iter(alike(every, size))
    parts: list[tuple[np.ndarray, list[str] | None]] = []
    for files in listed:
        classes = [name for _, name in files]
        x = np.stack([next(arrays) for _ in files])
        parts.append((x, classes if any(classes) else None))
    return parts, said


def is_picture(given: Any) -> bool:
    """Whether it is one of Pillow's images."""
    return all(hasattr(given, name) for name in ("mode", "getbands", "convert", "resize"))


def alike(images: Sequence[Any], size: int | None = None) -> list[np.ndarray]:
    """Pillow's images as arrays of one kind, [C, H, W]: gray, gray of 16 bits, or colours.

    Parameters
    ----------
    size : pixels of both sides, or None to leave them.
    """
    modes = {image.mode for image in images}
    if "F" in modes:
        raise InputError("images of real numbers cannot be read as pixels; give arrays, as .npz")
    if modes <= DEEP:
        mode = "deep"
    else:
        mode = "L" if modes <= {*GRAY, *DEEP} else "RGB"
    arrays = [_array(image, mode, size) for image in images]
    return [x[None] if x.ndim == 2 else x.transpose(2, 0, 1) for x in arrays]


def _array(image: Any, mode: str, size: int | None) -> np.ndarray:
    Image, _ = _pillow()
    if image.mode in DEEP:
        deep = np.asarray(image).astype(np.int32)
        if mode == "deep" and size is not None and image.size != (size, size):
            resized = Image.fromarray(deep.astype(np.float32)).resize((size,) * 2, Image.BOX)
            return np.asarray(resized).round().astype(np.int32)
        if mode == "deep":
            return deep
        image = Image.fromarray((deep.clip(0, 65535) // 257).astype(np.uint8))
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    image = image if image.mode == mode else image.convert(mode)
    if size is not None and image.size != (size, size):
        image = image.resize((size, size), Image.Resampling.BOX)
    return np.asarray(image)


def _is_hidden(part: str) -> bool:
    return part.startswith((".", "__MACOSX"))


def _pillow() -> tuple[Any, Any]:
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise InputError("images are read by Pillow; pip install 'rndcfl[data]'") from None
    return Image, ImageOps
