"""``rndcfl discover FILES``: the table, the files written beside it, and the page."""

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from browser import chromium
from click.testing import CliRunner

from rndcfl import Clients, from_files, from_tables, make_clients
from rndcfl.book.cli import main
from rndcfl.book.finding import differences
from rndcfl.book.finding.report import report
from rndcfl.data.heart_disease import COLUMNS
from rndcfl.discovery import discover


def rndcfl_(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def towns(folder, n=120):
    """Four towns in two groups: in the north people are taller."""
    for i, name in enumerate(("oslo", "rome", "bergen", "bari")):
        rng = np.random.default_rng(i)
        frame = pd.DataFrame(
            {
                "height": rng.normal(184 - 12 * (i % 2), 5, n),
                "age": rng.integers(20, 80, n),
                "smokes": rng.choice(["yes", "no"], n),
                "ill": rng.integers(2, size=n),
            }
        )
        frame.to_csv(folder / f"{name}.csv", index=False)
    return sorted(folder.glob("*.csv"))  # bari, bergen, oslo, rome


def test_own_files_are_told_by_name(tmp_path):
    files = towns(tmp_path)
    result = rndcfl_("discover", *files, "--target", "ill")
    assert result.exit_code == 0, result.output
    assert "2 federations by criterion calibrated" in result.output
    assert "  0: bari, rome\n  1: bergen, oslo\n" in result.output
    rows = [line.split()[:3] for line in result.output.splitlines()[1:5]]
    names = ("bari", "bergen", "oslo", "rome")
    assert rows == [[name, "120", str(f)] for name, f in zip(names, (0, 1, 1, 0), strict=True)]


def test_a_folder_of_files_is_as_good_as_its_files(tmp_path):
    files = towns(tmp_path)
    assert (
        rndcfl_("discover", tmp_path).output.splitlines()[:5]
        == (rndcfl_("discover", *files).output.splitlines()[:5])
    )


def test_what_is_written_beside_the_table(tmp_path):
    files = towns(tmp_path)
    out = [tmp_path / "out" / name for name in ("a.json", "a.csv", "a.html")]
    options = [x for pair in zip(("--json", "--csv", "--report"), out, strict=True) for x in pair]
    result = rndcfl_("discover", *files, "--target", "ill", "--drop", "smokes", *options)
    assert result.exit_code == 0, result.output
    found = json.loads(out[0].read_text())
    clients = from_files(files, target="ill", drop=["smokes"])
    assert found["clients"] == ["bari", "bergen", "oslo", "rome"]
    assert found["labels"] == discover(clients).labels.tolist() == [0, 1, 1, 0]
    table = pd.read_csv(out[1])
    assert table["client"].tolist() == found["clients"]
    assert table["federation"].tolist() == [0, 1, 1, 0]
    assert "<h1>4 clients in 2 federations</h1>" in out[2].read_text()
    for option, file in zip(("--json", "--csv", "--report"), out, strict=True):
        again = rndcfl_("discover", *files, option, file)
        assert again.exit_code == 2 and "exists" in again.output


def test_notices_come_last_and_in_words(tmp_path):
    files = towns(tmp_path)
    for file in files:
        frame = pd.read_csv(file)
        frame.loc[::5, "height"] = -999
        frame.to_csv(file, index=False)
    result = rndcfl_("discover", *files, "--target", "ill")
    assert result.output.splitlines()[-1].startswith("note: column height is -999 in 20% of its")
    assert "Warning" not in result.output and "Notice" not in result.output


@pytest.mark.parametrize(
    "arguments, says",
    [
        (["{0}"], "is one client; give the files of two and more"),
        (["{0}", "{1}", "--target", "il"], "did you mean 'ill'"),
        (["{0}", "{1}", "--by", "colour"], "unknown by 'colour'"),
        (["{0}", "{1}", "--size", "64", "--groups", "2"], "--groups is for a dataset"),
        (["{0}", "none.csv"], "there is no none.csv"),
    ],
)
def test_one_line_says_what_is_wrong(tmp_path, arguments, says):
    files = towns(tmp_path)
    result = rndcfl_("discover", *(a.format(*files) for a in arguments))
    assert result.exit_code == 2
    assert says in result.output and len(result.output.strip().splitlines()) == 1


def test_four_hospitals_are_found_from_their_files(data_root, tmp_path):
    folder = data_root("heart-disease") / "heart-disease"
    for path in folder.glob("processed.*.data"):
        name = path.name.split(".")[1]
        rows = pd.read_csv(path, header=None, names=[*COLUMNS, "num"], na_values="?")
        rows[["trestbps", "chol"]] = rows[["trestbps", "chol"]].replace(0, np.nan)
        rows.to_csv(tmp_path / f"{name}.csv", index=False)
        order = np.random.default_rng(0).permutation(len(rows))
        for k, part in enumerate(np.array_split(order, 3)):
            rows.iloc[part].to_csv(tmp_path / f"{name}-{k}.csv", index=False)
    whole = sorted(p for p in tmp_path.glob("*.csv") if "-" not in p.stem)
    thirds = sorted(tmp_path.glob("*-*.csv"))
    four = rndcfl_("discover", *whole, "--target", "num")
    assert "4 federations by criterion calibrated" in four.output
    twelve = rndcfl_("discover", *thirds, "--target", "num")
    for k, name in enumerate(("cleveland", "hungarian", "switzerland", "va")):
        assert f"  {k}: {name}-0, {name}-1, {name}-2\n" in twelve.output


# --- what tells federations apart ---------------------------------------------------------------


def test_the_columns_that_differ_most_come_first_in_their_own_units():
    frames = [
        pd.DataFrame({"a": [1.0, 3], "b": [10.0, 30], "c": ["u", "v"]}),
        pd.DataFrame({"a": [1.0, 3], "b": [50.0, 70], "c": ["u", "u"]}),
    ]
    table = differences.columns(from_tables(frames), np.array([0, 1]))
    assert table["column"].tolist() == ["b", "c=u", "c=v"]  # a does not differ
    assert table.loc[0, ["federation 0", "federation 1"]].tolist() == pytest.approx(
        [20, 60], abs=1e-3
    )
    assert table.loc[0, "apart"] == pytest.approx(4, abs=1e-4)  # 40 over a deviation of 10
    assert table.loc[1, ["federation 0", "federation 1"]].tolist() == [0.5, 1]


def test_mean_samples_and_label_shares_weigh_samples_not_clients():
    x = np.zeros((3, 1, 2, 2)), np.ones((1, 1, 2, 2)), np.full((1, 1, 2, 2), 0.5)
    y = ["a", "a", "b"], ["b"], ["a"]
    clients = Clients.from_arrays(list(zip(x, y, strict=True)), kind="images")
    labels = np.array([0, 0, 1])
    means = differences.mean_samples(clients, labels)
    np.testing.assert_allclose(means[:, 0, 0, 0], [0.25, 0.5])
    shares = differences.label_shares(clients, labels)
    assert shares.to_dict("list") == {"federation": [0, 1], "a": [0.5, 1], "b": [0.5, 0]}


# --- the page -----------------------------------------------------------------------------------


class Page(HTMLParser):
    """What a page asks for from elsewhere, its images without text, and unclosed elements."""

    VOID = ("meta", "img", "br", "link")

    def __init__(self, text):
        super().__init__()
        self.asked, self.mute, self.open = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        own = dict(attributes)
        self.asked += [v for k in ("src", "href") if (v := own.get(k)) and v[:5] != "data:"]
        self.mute += [tag] if tag == "img" and not own.get("alt") else []
        self.open += [] if tag in self.VOID else [tag]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def series(n_clients=4):
    return make_clients("waves", "mounting", n_clients, 2, samples_per_client=60)


@pytest.mark.parametrize("kind", ["table", "images", "series", "paper", "features"])
def test_a_page_stands_alone(tmp_path, stripe_clients, small_rnd, kind):
    if kind == "table":
        clients = from_files(towns(tmp_path), target="ill")
    else:
        clients = series() if kind == "series" else stripe_clients(4)
    if kind == "paper":
        found = discover(clients, "paper", 0.5, rnd=small_rnd, train_share=1.0)
    else:
        found = discover(clients, by="features" if kind == "features" else "novelty")
    text = report(clients, found)
    page = Page(text)
    assert (page.asked, page.mute, page.open) == ([], [], [])
    assert "How to read this" in text and "<script" not in text
    assert report(clients, found) == text
    assert ("What tells the federations apart" in text) == (found.n_federations > 1)
    for name in clients.names:
        assert re.search(rf'<th scope="row">{name}</th>', text)


def test_names_are_text_on_the_page(stripe_clients):
    arrays = {f"<b>{i}</b> & co": (client.x, None) for i, client in enumerate(stripe_clients(2))}
    clients = Clients.from_arrays(arrays)
    text = report(clients, discover(clients))
    assert "<b>" not in text and "&lt;b&gt;0&lt;/b&gt; &amp; co" in text


def test_a_page_fits_a_desk_and_a_phone(tmp_path):
    clients = from_files(towns(tmp_path), target="ill")
    file = tmp_path / "page.html"
    file.write_text(report(clients, discover(clients)), encoding="utf-8")
    with chromium() as browser:
        for width in (1280, 390):
            page = browser.new_page(viewport={"width": width, "height": 844})
            page.goto(file.as_uri())
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.get_by_role("img").first.bounding_box()["width"] > 200
