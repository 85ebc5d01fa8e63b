import numpy as np
import pytest
from PIL import Image

from rndcfl.clients import Clients
from rndcfl.common.errors import InputError, Notice
from rndcfl.data import pictures
from rndcfl.data.own_files import from_files
from rndcfl.data.pictures import read_pictures

RNG = np.random.default_rng(0)


def image(mode="L", size=(9, 8), **info):
    picture = Image.fromarray(RNG.integers(256, size=(*size[::-1], 3), dtype=np.uint8))
    return picture.quantize(8) if mode == "P" else picture.convert(mode)


def deep(value=40_000, size=(9, 8)):
    return Image.fromarray(np.full(size[::-1], value, dtype=np.uint16))


@pytest.fixture
def folder(tmp_path):
    """Function name, {file: image} -> the folder that holds them."""

    def save(name, files):
        for file, picture in files.items():
            path = tmp_path / name / file
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(picture, bytes):
                path.write_bytes(picture)
            else:
                picture.save(path)
        return tmp_path / name

    return save


def read(*folders, size=None):
    return read_pictures([(path.name, path) for path in folders], size)


def test_images_of_one_folder_in_order_of_their_names(folder):
    images = [image() for _ in range(3)]
    north = folder("north", {f"{k}.png": one for k, one in enumerate(images)})
    [(x, y)], said = read(north)
    np.testing.assert_array_equal(x[:, 0], np.stack(images))
    assert (y, said) == (None, [])


def test_folders_inside_are_classes(folder):
    north = folder("north", {"cat/1.png": image(), "dog/2020/2.bmp": image(), "cat/3.PNG": image()})
    south = folder("south", {"cat/1.jpg": image()})
    clients = from_files([north, south])
    assert (clients.names, clients.classes) == (("north", "south"), ("cat", "dog"))
    assert [client.y.tolist() for client in clients] == [[0, 0, 1], [0]]
    assert (clients.kind, clients.input_shape) == ("images", (1, 8, 9))


def test_one_folder_holds_a_folder_for_each_client(folder):
    whole = folder("all", {"north/1.png": image(), "south/1.png": image()})
    assert Clients.from_files(whole).names == ("north", "south")
    assert Clients.from_files({"A": whole / "north"}).names == ("A",)


def test_narrow_gray_images_are_images(folder):
    clients = from_files({"a": folder("a", {"1.png": image(size=(40, 6))})})
    assert (clients.kind, clients.input_shape) == ("images", (1, 6, 40))


@pytest.mark.parametrize(
    "modes, channels",
    [("LL", 1), ("1L", 1), (["LA", "L"], 1), (["RGB", "L"], 3), ("PL", 3), (["RGBA", "L"], 3)],
)
def test_gray_and_colours_together(folder, modes, channels):
    files = {f"{k}.png": image(mode) for k, mode in enumerate(modes)}
    [(x, _)], _ = read(folder("a", files))
    assert x.shape == (2, channels, 8, 9) and x.dtype == np.uint8


def test_gray_at_one_client_and_colours_at_another(folder):
    a = folder("a", {"1.png": image()})
    parts, _ = read(a, folder("b", {"1.png": image("RGB")}))
    assert [x.shape for x, _ in parts] == [(1, 3, 8, 9)] * 2
    gray = np.asarray(Image.open(a / "1.png"))
    np.testing.assert_array_equal(parts[0][0][0], np.stack([gray] * 3))


def test_a_palette_is_colours_and_not_its_numbers(folder):
    picture = image("P")
    [(x, _)], _ = read(folder("a", {"1.png": picture}))
    np.testing.assert_array_equal(x[0].transpose(1, 2, 0), picture.convert("RGB"))


def test_images_of_sixteen_bits(folder):
    north = folder("north", {"1.png": deep(), "2.png": deep(65535)})
    [(x, _)], _ = read(north)
    assert x.max(axis=(1, 2, 3)).tolist() == [40_000, 65_535]
    with pytest.warns(Notice, match="divided by 65535"):
        clients = from_files([north, folder("b", {"1.png": deep()})])
    assert clients[1].x.max() == pytest.approx(40_000 / 65_535)
    [(x, _)], _ = read(north, size=4)
    assert x.shape == (2, 1, 4, 4) and x[0].max() == 40_000


def test_sixteen_bits_and_eight_together(folder):
    [(x, _)], _ = read(folder("a", {"1.png": deep(65_535), "2.png": image()}))
    assert x.shape == (2, 1, 8, 9) and x[0].min() == 255


def test_sizes_that_differ_are_brought_to_one_and_it_is_said(folder):
    north = folder("north", {"1.png": image(), "2.png": image(size=(20, 30))})
    [(x, _)], said = read(north)
    assert x.shape == (2, 1, 64, 64)
    assert said == [
        "images have 2 different sizes; all are brought to 64 x 64 pixels, size= takes another"
    ]
    [(x, _)], said = read(north, size=16)
    assert (x.shape, said) == ((2, 1, 16, 16), [])


def test_a_photograph_is_turned_as_its_camera_was_held(folder):
    picture, exif = image(), Image.Exif()
    exif[0x0112] = 6
    north = folder("north", {})
    north.mkdir()
    picture.save(north / "1.png", exif=exif)
    [(x, _)], _ = read(north)
    assert x.shape == (1, 1, 9, 8)


def test_of_several_pages_the_first_is_taken_and_it_is_said(folder):
    north = folder("north", {})
    north.mkdir()
    image().save(north / "1.tiff", save_all=True, append_images=[image()])
    _, said = read(north)
    assert said == ["1 images have several frames or pages; the first of each is taken"]


def test_hidden_files_are_no_images(folder):
    files = {"1.png": image(), ".2.png": b"", ".cache/3.png": b"", "__MACOSX/4.png": b""}
    [(x, _)], _ = read(folder("a", {**files, "notes.txt": b"x"}))
    assert len(x) == 1


@pytest.mark.parametrize(
    "files, message",
    [
        ({"notes.txt": b"x"}, "a holds no images"),
        ({"1.png": image(), "cat/2.png": image()}, "a holds images beside its folders of images"),
        ({"train/1.png": image(), "test/2.png": image()}, "folders train and test, which are no"),
        ({"1.png": b"junk"}, "1.png is no image: it cannot be read: cannot identify"),
        ({"1.png": b""}, "1.png is no image"),
        ({"1.tiff": Image.new("F", (9, 8))}, "images of real numbers"),
    ],
)
def test_what_are_no_images(folder, files, message):
    with pytest.raises(InputError, match=message) as caught:
        read(folder("a", files))
    assert "\n" not in str(caught.value)


def test_half_an_image(folder):
    whole = folder("a", {"1.png": image(size=(90, 80))}) / "1.png"
    whole.write_bytes(whole.read_bytes()[:200])
    with pytest.raises(InputError, match=r"1\.png is no image: it cannot be read"):
        read(whole.parent)


def test_without_pillow(folder, monkeypatch):
    north = folder("a", {"1.png": image()})
    monkeypatch.setitem(__import__("sys").modules, "PIL", None)
    with pytest.raises(InputError, match=r"pip install 'rndcfl\[data\]'"):
        read(north)
    assert pictures.pictures_in(north) == [(north / "1.png", "")]


@pytest.mark.parametrize("size", [3, 5000, 16.5, "16"])
def test_sizes_that_are_none(folder, size):
    with pytest.raises(InputError, match="size must be a whole number from 4 to 4096"):
        from_files({"a": folder("a", {"1.png": image()})}, size=size)


def test_a_single_folder_of_images_is_a_single_client(folder):
    north = folder("north", {"1.png": image()})
    with pytest.raises(InputError, match=r"north holds images itself; .*\{name: folder\}"):
        from_files(north)
