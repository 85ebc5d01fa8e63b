"""A folder of images: all in it are one client's, folders inside it are classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from rndcfl.common.errors import InputError
from rndcfl.common.progress import progress

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
SIDE = 64  # pixels that images of different sizes are brought to


def pictures_in(folder: Path) -> list[tuple[Path, str]]:
    """Images below a folder in order of their names, and the folder inside it that each is in.

    Raises
    ------
    InputError
        If there are none, or some inside a class's folder and some beside it.
    """
    found = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in ENDINGS and p.is_file()]
    found = [p for p in found if not p.name.startswith(".")]
    if not found:
        raise InputError(f"{folder} holds no images ({', '.join(ENDINGS)})")
    classes = [p.relative_to(folder).parts[0] if p.parent != folder else "" for p in found]
    if "" in classes and len(set(classes)) > 1:
        raise InputError(
            f"{folder} holds images beside its folders of images; put each class into a folder of "
            "its own, or all images into one"
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
    x uint8 [n, H, W] where all images are gray, else [n, H, W, 3] (uint16 where gray ones have 16
    bits); y names of the classes, or None where there are no folders inside.
    """
    Image, ImageOps = _pillow()
    listed = [pictures_in(folder) for _, folder in folders]
    opened: list[list[Any]] = []
    bar = progress(desc="images", total=sum(map(len, listed)))
    for files in listed:
        own = []
        for path, _ in files:
            try:
                with Image.open(path) as image:
                    own.append(ImageOps.exif_transpose(image).copy())
            except Exception as problem:  # a broken file makes Pillow raise almost anything
                raise InputError(f"{path} cannot be read as an image: {problem}") from None
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
    mode = _mode({image.mode for image in every})

    def array(image: Any) -> np.ndarray:
        image = image if image.mode == mode or mode == "I;16" else image.convert(mode)
        if size is not None and image.size != (size, size):
            image = image.resize((size, size), Image.Resampling.BOX)
        return np.asarray(image)

    parts = []
    for own, files in zip(opened, listed, strict=True):
        classes = [name for _, name in files]
        parts.append((np.stack([array(image) for image in own]), classes if any(classes) else None))
    return parts, said


def _mode(modes: set[str]) -> str:
    """Of all images: gray, gray of 16 bits, or colours."""
    if modes <= {"I;16", "I;16B", "I;16L", "I"}:
        return "I;16"
    return "L" if modes <= {"L", "1"} else "RGB"


def _pillow() -> tuple[Any, Any]:
    try:
        from PIL import Image, ImageOps
    except ImportError:
        raise InputError("images are read by Pillow; pip install 'rndcfl[data]'") from None
    return Image, ImageOps
