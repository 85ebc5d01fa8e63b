import inspect

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.font_manager import findfont
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from rndcfl.book import figures
from rndcfl.book.figures import style
from rndcfl.book.figures.style import COLUMN, TEXT
from rndcfl.criteria.paper import READINGS

NOVELTY = np.array([[1.0, 2.0, 9.0], [4.0, 1.0, 9.0], [8.0, 10.0, 4.0]])
EXCESS = np.array([[0.0, 0.5, 2.0], [0.5, 0.0, 3.0], [2.0, 3.0, 0.0]])
GROUPS = np.array([0, 1, 0])
PAIRS = figures.pair_table(NOVELTY, EXCESS, GROUPS)

SEEDS = pd.DataFrame(
    [(s, level, v + s) for s in (0, 1) for level, v in zip(figures.LEVELS, (2, 3, 9), strict=True)],
    columns=["seed", "level", "novelty"],
)
ROUNDS = pd.DataFrame(
    [
        dict(method=m, seed=s, round=r, client=c, group=c % 2, accuracy=0.1 + 0.1 * r + 0.05 * s)
        for m in ("local", "rnd")
        for s in (0, 1)
        for r in range(3)
        for c in range(4)
    ]
)
LAST = ROUNDS[ROUNDS["round"] == 2]
SWEEP = pd.DataFrame(
    [
        ("paper_mutual", 0.1, 0.5),
        ("paper_mutual", 0.2, 1.0),
        ("paper_either", 0.1, 0.2),
        ("paper_either", 0.2, 0.4),
        ("calibrated", np.nan, 1.0),
    ],
    columns=["criterion", "tolerance", "ari"],
)
COSTS = LAST.groupby(["method", "seed"])["accuracy"].mean().reset_index().assign(mb_per_client=3.0)
BUDGETS = pd.DataFrame(
    [
        ("rnd", np.nan, "once", 0, 0.5, 2e6, True),
        ("ifca", "resnet18", "every_1", 0, 1, 5e5, True),
        ("ifca", "resnet18", "every_1", 1, 2, 1e6, True),
        ("ifca", "resnet18", "every_1", 2, 4, 2e6, False),
        ("ifca", "resnet18", "every_1", 3, 8, 4e6, False),
    ],
    columns=[
        "method",
        "model",
        "schedule",
        "round",
        "seconds_cumulative",
        "bytes_cumulative",
        "measured",
    ],
)
PICTURES = [np.full((3, 1, 4, 4), 0.5), np.full((2, 3, 4, 4), 0.5)]
CURVES = dict(x="round", y="accuracy", by="method", xlabel="round", ylabel="accuracy")

TWO = tuple(np.random.default_rng(k).standard_normal((2, 30)) + k for k in (0, 1))
EXPLAINED = pd.DataFrame(
    dict(
        client=[0, 1, 2],
        federation=[0, 1, 0],
        inside=[1.0, np.nan, 1.0],
        outside=[30.0, 30, 300],
        margin=[1.0, 28, 1],
    )
)
NULL = pd.DataFrame({"case": np.repeat(["a", "b"], 50), "p": np.random.default_rng(0).random(100)})
KEPT = pd.DataFrame(
    [
        (by, sizes, p, int(k < 5 * p))
        for by in ("novelty", "features")
        for sizes in ("equal", "unequal")
        for p in (0.0, 0.2, 0.8, 1.0)
        for k in range(5)
    ],
    columns=["by", "sizes", "predicted", "detected"],
)
POWER = pd.DataFrame(
    [
        (setting, "sd", strength, n, criterion, strength * n / 600)
        for setting in ("noise", "rotation")
        for strength in (0.5, 1.0)
        for n in (100, 600)
        for criterion in ("calibrated", "paper_best_each")
    ],
    columns=["setting", "parameter", "strength", "samples", "criterion", "exact"],
)
MOVED = pd.DataFrame(
    [
        (schedule, method, seed, r, 0.5 + 0.1 * seed, 0.4, (r + 1) * 10**8)
        for schedule, method in (("once", "rnd"), ("every_1", "ifca"))
        for seed in (0, 1)
        for r in range(4)
    ],
    columns=["schedule", "method", "seed", "round", "ari", "accuracy", "bytes_cumulative"],
)
SWEPT = pd.DataFrame(
    [
        (name, value, value == 2, seed, value / 3, 10 * value)
        for name in ("steps", "embedding")
        for value in (1, 2, 3)
        for seed in (0, 1)
    ],
    columns=["parameter", "value", "default", "seed", "ari", "kb"],
)
SUITE = pd.DataFrame(
    [
        ("mnist", setting, strength, 12, n, criterion, 0.5)
        for setting, strength in (("iid", "default"), ("pattern", "rms=0.15"))
        for n in (150, 600)
        for criterion in ("calibrated", "paper_best_single")
    ],
    columns=["dataset", "setting", "strength", "clients", "samples", "criterion", "exact"],
)
METHODS = pd.DataFrame(
    [
        (setting, method, variant, f"{method}, {variant}", mb, gain, 0.5 + gain, ci)
        for setting in ("iid", "rotation")
        for method, variant, mb, gain, ci in (
            ("local", "default", 0.0, -0.1, 0.1),
            ("rnd", "default", 2.0, 0.2, np.nan),
            ("rnd", "labels", 3.0, 0.1, np.nan),
        )
    ],
    columns=[
        "setting",
        "method",
        "variant",
        "name",
        "mb_per_client",
        "gain_mean",
        "accuracy_mean",
        "accuracy_ci95",
    ],
)
NAMES = METHODS["name"].unique()
APART = pd.DataFrame(
    [
        (dataset, i, j, f"{'AB'[i % 2]} {i}", i % 2 if dataset == "grouped" else -1, abs(i - j) / 2)
        for dataset in ("grouped", "not grouped", "third")
        for i in range(4)
        for j in range(4)
    ],
    columns=["dataset", "i", "j", "name_i", "group_i", "distance"],
)
RESOLVED = pd.DataFrame(
    [
        (dataset, effect, seed, np.nan if dataset == "plays" else effect * (1 + seed), 3 - effect)
        for dataset in ("hospitals", "plays")
        for effect in (0.1, 0.2, 0.4)
        for seed in (0, 1)
    ],
    columns=["dataset", "min_effect", "seed", "ari", "federations"],
)
WORTH = pd.DataFrame(
    [
        ("hospitals", "local", 0.02, 0.01),
        ("hospitals", "global", -0.01, np.nan),
        ("plays", "global", 0.03, 0.02),
    ],
    columns=["dataset", "method", "gain_mean", "gain_ci95"],
)
SCALE = pd.DataFrame(
    [
        (mode, n, seed, n ** (2 if mode == "all_to_all" else 1) / 1e3, 1e4 * n**0.5, 400 + n)
        for mode in ("all_to_all", "landmarks")
        for n in (10, 100)
        for seed in (0, 1)
    ],
    columns=["mode", "clients", "seed", "seconds", "bytes_per_client", "peak_mb"],
)
ATTACKED = pd.DataFrame(
    [
        (attack, hostile, seed, defence, 10, 0.5 * seed, 0.4 + 0.1 * seed)
        for attack in ("copy", "glue")
        for hostile in (0, 1, 3)
        for seed in (0, 1)
        for defence in ("none", "robust")
    ],
    columns=["attack", "hostile", "seed", "defence", "seeds", "honest_exact", "honest_accuracy"],
)
TORN = pd.DataFrame(
    [
        (panel, i, j, name, 9.0 * (i != j), 0)
        for panel in ("honest", "one liar")
        for i, name in enumerate(("liar", "0"))
        for j in (0, 1)
    ],
    columns=["panel", "i", "j", "name_i", "evidence", "federation_i"],
)
SENT = pd.DataFrame(
    [("hello", 400, 0, 76, 0), ("training", 5_093_248, 5_088_320, 5_100_284, 5_088_320)],
    columns=["phase", "up", "ledger_up", "down", "ledger_down"],
)
SITES = pd.DataFrame(
    [
        (mode, n, n * (34 if mode == "all to all" else 1), n / 10, n / 20)
        for mode in ("all to all", "landmarks")
        for n in (10, 100)
    ],
    columns=["mode", "sites", "kb_down", "wire_seconds", "server_mb"],
)
EXPOSED = pd.DataFrame(
    [
        (sweep, value, predictor, seed, auc + 0.02 * seed)
        for sweep, values in (
            ("steps", (10, 100)),
            ("samples", (30, 120)),
            ("epsilon", (1, np.inf)),
        )
        for value, auc in zip(values, (0.5, 0.7, 0.9), strict=False)
        for predictor in ("4-8", "16-32")
        for seed in (0, 1)
    ],
    columns=["sweep", "value", "predictor", "seed", "auc"],
)
BOUND = pd.DataFrame({"epsilon": [1.0, 8.0], "auc": [0.73, 0.99]})
HIDDEN = pd.DataFrame(
    [
        (setting, n, "novelty", epsilon, seed, ari - 0.2 * seed)
        for setting in ("iid", "rotation")
        for n in (100, 600)
        for epsilon, ari in ((0.5, 0.4), (4.0, 0.8), (np.inf, 1.0))
        for seed in (0, 1)
    ],
    columns=["setting", "samples", "by", "epsilon", "seed", "ari"],
)
ARMS = pd.DataFrame(
    [
        ("d", setting, n, arm, seed, ari - 0.1 * seed)
        for setting in ("noise", "rotation")
        for n in (60, 600)
        for arm, ari in (("trained", 0.7), ("features", 0.9), ("pixels", 0.4))
        for seed in (0, 1)
    ],
    columns=["dataset", "setting", "samples", "arm", "seed", "ari"],
)
STEPS = pd.DataFrame(
    [
        (60, steps, share, seed, 0.5 + steps / 1000 + 0.01 * seed, 0.5 + 0.01 * seed)
        for steps in (20, 150)
        for share in (0.2, 0.5)
        for seed in (0, 1)
    ],
    columns=["samples", "steps", "share", "seed", "ari", "auc"],
)
SKEWED = PAIRS.assign(federation_i=PAIRS["i"].to_numpy() % 2)
HELD = pd.DataFrame(
    [
        (1, 0, 1.0, 5.0, True),
        (1, 1, 1.0, 10.0, True),
        (1, 2, 1.0, 15.0, True),
        (2, 0, 1.0, 5.0, True),
        (2, 1, -0.3, 5.0, False),
        (2, 2, 1.0, 10.0, True),
        (3, 0, 1.0, 5.0, True),
        (3, 1, -0.3, 5.0, False),
        (3, 2, -0.3, 5.0, False),
    ],
    columns=["every", "round", "ari", "mb", "asked"],
)
TREE = pd.DataFrame(
    [
        (panel, i, f"client {i}", i % 2, effect, (i % 2) * (effect < 1))
        for panel in ("one", "two", "three")
        for effect in (0.0, 0.5, 1.0)
        for i in range(4)
    ],
    columns=["panel", "client", "name", "group", "min_effect", "federation"],
)
DRAWN = {
    "skew": (TEXT, lambda: figures.skew(SKEWED, [PICTURES[0], PICTURES[0]], 0.7)),
    "compatibility": (
        TEXT,
        lambda: figures.compatibility(EXCESS, 2.0, np.array([0, 1, 0]), GROUPS),
    ),
    "cadence": (TEXT, lambda: figures.cadence(HELD, 2, 1)),
    "message_bytes": (TEXT, lambda: figures.message_bytes(SENT)),
    "many_sites": (TEXT, lambda: figures.many_sites(SITES)),
    "torn": (TEXT, lambda: figures.torn(TORN, 2.0)),
    "hostile": (TEXT, lambda: figures.hostile(ATTACKED[ATTACKED["seed"] == 1], 3)),
    "poisoned": (TEXT, lambda: figures.poisoned(ATTACKED)),
    "gains": (TEXT, lambda: figures.gains(METHODS, NAMES)),
    "accuracy_against_cost": (TEXT, lambda: figures.accuracy_against_cost(METHODS, NAMES)),
    "novelty_matrix": (TEXT, lambda: figures.novelty_matrix(PAIRS)),
    "novelty_levels": (COLUMN, lambda: figures.novelty_levels(SEEDS)),
    "tolerance": (TEXT, lambda: figures.tolerance(SWEEP)),
    "discovery_cost": (TEXT, lambda: figures.discovery_cost(BUDGETS)),
    "pictures": (TEXT, lambda: figures.pictures(PICTURES, ["grey", "colour"])),
    "curves": (TEXT, lambda: figures.curves(ROUNDS, **CURVES)),
    "accuracy_by_client": (TEXT, lambda: figures.accuracy_by_client(LAST)),
    "cost_and_accuracy": (COLUMN, lambda: figures.cost_and_accuracy(COSTS)),
    "toy_novelty": (
        TEXT,
        lambda: figures.toy_novelty(
            np.linspace(0.1, 9, 32).reshape(2, 4, 4), 3, [np.zeros((5, 2)), np.ones((5, 2))]
        ),
    ),
    "drift": (TEXT, lambda: figures.drift(MOVED, 2)),
    "profiles": (TEXT, lambda: figures.profiles({"same": TWO, "other": TWO}, ("0", "1"))),
    "membership": (TEXT, lambda: figures.membership(EXPOSED, BOUND)),
    "private_recovery": (TEXT, lambda: figures.private_recovery(HIDDEN)),
    "reconstruction": (
        TEXT,
        lambda: figures.reconstruction(
            {"one": list(PICTURES[0]), "two": list(PICTURES[0])}, ["a", "b", "c"]
        ),
    ),
    "distillation": (TEXT, lambda: figures.distillation(ARMS)),
    "budget": (TEXT, lambda: figures.budget(STEPS, STEPS, (150, 0.2))),
    "margins": (TEXT, lambda: figures.margins(EXPLAINED, 2.0)),
    "quantiles": (TEXT, lambda: figures.quantiles(NULL, "case")),
    "calibration_curve": (TEXT, lambda: figures.calibration_curve(KEPT, "sizes")),
    "power": (TEXT, lambda: figures.power(POWER)),
    "sensitivity": (TEXT, lambda: figures.sensitivity(SWEPT, {"ari": "ARI", "kb": "kB"})),
    "recovery": (TEXT, lambda: figures.recovery(SUITE, ("calibrated", "paper_best_single"))),
    "scaling": (TEXT, lambda: figures.scaling(SCALE)),
    "evidence": (COLUMN, lambda: figures.evidence(EXCESS, 2.0, GROUPS)),
    "distances": (TEXT, lambda: figures.distances(APART)),
    "resolution": (TEXT, lambda: figures.resolution(RESOLVED, (0.1, 0.3))),
    "worth": (TEXT, lambda: figures.worth(WORTH)),
    "federation_tree": (TEXT, lambda: figures.federation_tree(TREE, {"one": 0.5})),
}


def settings():
    return {k: v for k, v in mpl.rcParams.items() if not k.startswith("backend")}


def test_every_figure_function_is_drawn_here():
    styled = {
        name
        for name, function in inspect.getmembers(figures, inspect.isfunction)
        if hasattr(function, "__wrapped__")
    }
    assert styled == set(DRAWN)


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_has_its_width_our_font_and_leaves_settings_alone(name, tmp_path):
    width, draw = DRAWN[name]
    before = settings()
    figure = draw()
    assert settings() == before
    assert figure.get_figwidth() == width
    assert 1 < figure.get_figheight() < 9
    with mpl.rc_context(style.STYLE):
        figure.savefig(tmp_path / "figure.pdf")
    for text in figure.findobj(Text):
        if text.get_text():
            font = findfont(text.get_fontproperties(), fallback_to_default=False)
            assert font.startswith(mpl.get_data_path())
            assert "DejaVu" in font
    pdf = (tmp_path / "figure.pdf").read_bytes()
    assert b"/FontFile2" in pdf and b"/Type3" not in pdf


@pytest.mark.parametrize("name", sorted(set(DRAWN) - {"pictures", "reconstruction"}))
def test_every_axis_says_what_it_shows(name):
    for ax in DRAWN[name][1]().axes:
        if ax.get_label() == "<colorbar>" or not ax.axison:
            continue
        ticks = [label.get_text() for label in ax.get_xticklabels()]
        named = any(other.get_xlabel() for other in ax.get_shared_x_axes().get_siblings(ax))
        assert named or all(tick.isalpha() for tick in ticks)
        shared = list(ax.get_shared_y_axes().get_siblings(ax))
        ticks = [label.get_text() for other in shared for label in other.get_yticklabels()]
        named = any(other.get_ylabel() for other in shared)
        assert named or (ticks and all(tick[:1].isalpha() for tick in ticks))


def test_show_puts_caption_and_alt_text_next_to_the_picture(monkeypatch):
    shown = []
    monkeypatch.setattr(style, "display", shown.append)
    before = settings()
    style.show(figures.novelty_levels(SEEDS), "What it shows.", "Three bars.")
    picture, caption = shown
    assert settings() == before
    assert picture.alt == "Three bars."
    assert picture.width == round(96 * COLUMN)
    assert caption.data == "*What it shows.*"


def test_show_table_puts_the_caption_below(monkeypatch):
    shown = []
    monkeypatch.setattr(style, "display", shown.append)
    style.show_table(pd.DataFrame({"a": [1 / 3]}), "What it says.")
    table, caption = shown
    assert "0.333<" in table.to_html()
    assert caption.data == "*What it says.*"


# --- tables behind the figures ------------------------------------------------------------------


def test_pair_table_by_hand():
    table = figures.pair_table(NOVELTY, EXCESS, np.array([5, 6, 5]))
    assert list(table.columns) == ["i", "j", "group_i", "group_j", "novelty", "excess"]
    assert table.to_numpy().tolist() == [
        [0, 0, 5, 5, 1, 0],
        [0, 1, 5, 6, 2, 0.5],
        [0, 2, 5, 5, 9, 2],
        [1, 0, 6, 5, 4, 0.5],
        [1, 1, 6, 6, 1, 0],
        [1, 2, 6, 5, 9, 3],
        [2, 0, 5, 5, 8, 2],
        [2, 1, 5, 6, 10, 3],
        [2, 2, 5, 5, 4, 0],
    ]


def test_level_table_by_hand():
    table = figures.level_table(PAIRS)
    assert table["level"].tolist() == ["own", "same group", "other group"]
    assert table["novelty"].tolist() == [2.0, 8.5, 6.25]  # 6/3; (9 + 8)/2; (2 + 4 + 9 + 10)/4


def test_level_table_without_other_groups_has_a_gap():
    table = figures.level_table(figures.pair_table(NOVELTY, EXCESS, np.zeros(3, dtype=int)))
    assert np.isnan(table.set_index("level").loc["other group", "novelty"])
    assert table.set_index("level").loc["same group", "novelty"] == 7.0


# --- what is drawn ------------------------------------------------------------------------------


def outlines(ax):
    return {
        (*patch.get_xy(), patch.get_width(), patch.get_height())
        for patch in ax.patches
        if isinstance(patch, Rectangle) and not patch.get_fill()
    }


def test_novelty_matrix_sorts_clients_by_group_and_outlines_the_groups():
    left, right = figures.novelty_matrix(PAIRS).axes[:2]
    for ax in (left, right):
        assert outlines(ax) == {(0, 0, 2, 2), (2, 2, 1, 1)}
        assert [label.get_text() for label in ax.get_xticklabels()] == ["0", "2", "1"]
    above = left.collections[0].get_array()
    assert np.ravel(above).tolist() == [0, 8, 1, 4, 0, 6, 3, 8, 0]  # s_ij - s_ii, order 0, 2, 1
    excess = right.collections[0].get_array()
    assert np.ravel(excess).tolist() == [0, 2, 0.5, 2, 0, 3, 0.5, 3, 0]


def test_evidence_sorts_clients_by_group_outlines_groups_and_marks_the_threshold():
    figure = figures.evidence(EXCESS, 2.5, GROUPS)
    ax, bar = figure.axes
    assert outlines(ax) == {(0, 0, 2, 2), (2, 2, 1, 1)}
    values = np.ravel(ax.collections[0].get_array())
    assert values.tolist() == [0, 2, 0.5, 2, 0, 3, 0.5, 3, 0]
    assert 2.5 in [line.get_ydata()[0] for line in bar.lines]


def test_novelty_levels_draws_means_and_one_dot_per_seed():
    (ax,) = figures.novelty_levels(SEEDS).axes
    bars = [patch for patch in ax.patches if isinstance(patch, Rectangle)]
    assert [bar.get_height() for bar in bars] == [2.5, 3.5, 9.5]
    assert [label.get_text() for label in ax.get_xticklabels()] == list(figures.LEVELS)
    dots = [line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "o"]
    assert dots == [[2, 3], [3, 4], [9, 10]]
    assert ax.get_ylim()[0] == 0
    assert len({bar.get_hatch() for bar in bars}) == 3  # to differ in grey


@pytest.mark.filterwarnings("error")
def test_novelty_levels_of_a_single_seed():
    (ax,) = figures.novelty_levels(SEEDS[SEEDS["seed"] == 0]).axes
    assert [bar.get_height() for bar in ax.patches] == [2, 3, 9]


def test_curves_draw_the_mean_over_clients_and_seeds():
    (ax,) = figures.curves(ROUNDS, **CURVES).axes
    assert [line.get_label() for line in ax.lines] == ["local", "rnd"]
    for line in ax.lines:
        assert line.get_xdata().tolist() == [0, 1, 2]
        assert line.get_ydata() == pytest.approx([0.125, 0.225, 0.325])
    assert len({line.get_marker() for line in ax.lines}) == 2


def test_curves_on_a_log_scale_draw_the_geometric_mean():
    table = ROUNDS.assign(accuracy=np.where(ROUNDS["seed"] == 0, 1.0, 100.0))
    (ax,) = figures.curves(table, **CURVES, logy=True).axes
    assert ax.get_yscale() == "log"
    assert ax.lines[0].get_ydata() == pytest.approx([10, 10, 10])


@pytest.mark.filterwarnings("error")
def test_curves_of_a_single_seed_have_no_band():
    (ax,) = figures.curves(ROUNDS[ROUNDS["seed"] == 0], **CURVES).axes
    for line, band in zip(ax.lines, ax.collections, strict=True):
        heights = band.get_paths()[0].vertices[:, 1]
        assert set(np.round(heights, 12)) == set(np.round(line.get_ydata(), 12))


def test_tolerance_draws_a_line_per_reading_and_a_level_for_the_calibrated_criterion():
    (ax,) = figures.tolerance(SWEEP).axes
    drawn = {line.get_label(): list(map(float, line.get_ydata())) for line in ax.lines}
    assert drawn == {
        "paper_mutual": [0.5, 1.0],
        "paper_either": [0.2, 0.4],
        "calibrated (no knob)": [1.0, 1.0],
    }
    assert len({(line.get_marker(), line.get_linestyle()) for line in ax.lines}) == 3


def test_every_reading_of_eq_9_can_be_told_from_the_others():
    table = pd.concat([SWEEP.iloc[:2].assign(criterion=f"paper_{name}") for name in READINGS])
    (ax,) = figures.tolerance(table).axes
    assert [line.get_label() for line in ax.lines] == [f"paper_{name}" for name in READINGS]
    for look in ("get_color", "get_marker"):
        assert len({getattr(line, look)() for line in ax.lines}) == len(READINGS)


def test_accuracy_by_client_draws_every_client_in_its_groups_colour_and_marker():
    (ax,) = figures.accuracy_by_client(LAST).axes
    assert sum(len(line.get_xdata()) for line in ax.lines) == 2 * 4
    looks = {(line.get_marker(), to_hex(line.get_color())) for line in ax.lines}
    assert looks == {(style.MARKERS[g], to_hex(style.COLOURS[g])) for g in (0, 1)}
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["group 0", "group 1"]


def test_cost_and_accuracy_draws_one_point_per_method():
    (ax,) = figures.cost_and_accuracy(COSTS).axes
    points = [bars.lines[0].get_xydata()[0] for bars in ax.containers]
    assert np.array(points) == pytest.approx(np.array([[3.0, 0.325]] * 2))
    assert len({bars.lines[0].get_marker() for bars in ax.containers}) == 2


def test_discovery_cost_draws_lines_through_all_rounds_and_markers_on_measured_ones():
    seconds, megabytes = figures.discovery_cost(BUDGETS).axes[:2]
    for ax, expected in ((seconds, [1, 2, 4, 8]), (megabytes, [0.5, 1, 2, 4])):
        lines = [line for line in ax.lines if line.get_linestyle() != "None"]
        points = [line for line in ax.lines if line.get_linestyle() == "None"]
        assert [len(line.get_xdata()) for line in lines] == [1, 4]
        assert lines[1].get_xdata().tolist() == [1, 2, 3, 4]
        assert lines[1].get_ydata().tolist() == expected
        assert [len(line.get_xdata()) for line in points] == [1, 2]
        assert ax.get_xscale() == ax.get_yscale() == "log"


def test_pictures_are_drawn_with_their_true_grey_and_colour():
    axes = figures.pictures(PICTURES, ["grey", "colour"]).axes
    shapes = [ax.images[0].get_array().shape for ax in axes if ax.images]
    assert shapes == [(4, 4)] * 3 + [(4, 4, 3)] * 2
    assert axes[0].images[0].get_clim() == (0, 1)


def test_gains_are_in_points_and_cells_without_a_run_stay_empty():
    rows = METHODS[(METHODS["setting"] == "iid") | (METHODS["variant"] == "default")]
    ax, _ = figures.gains(rows, ["rnd, labels", "local, default"]).axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["iid", "rotation"]
    assert [label.get_text() for label in ax.get_xticklabels()] == ["rnd, labels", "local, default"]
    np.testing.assert_allclose(
        ax.collections[0].get_array().filled(np.nan).reshape(2, 2), [[10, -10], [np.nan, -10]]
    )


def test_accuracy_against_cost_marks_variants_and_puts_free_methods_at_the_left_edge():
    left, right, empty = figures.accuracy_against_cost(METHODS, NAMES).axes
    assert (left.get_title(), right.get_title(), empty.axison) == ("iid", "rotation", False)
    lines = [container.lines[0] for container in left.containers]
    assert [float(line.get_xdata()[0]) for line in lines] == [2 / 3, 2, 3]
    assert [line.get_fillstyle() for line in lines] == ["full", "full", "none"]
    assert lines[1].get_marker() == lines[2].get_marker() != lines[0].get_marker()


# --- natural clients ----------------------------------------------------------------------------


def test_distances_are_shown_group_by_group():
    figure = figures.distances(APART)
    heat = [ax for ax in figure.axes if ax.get_title()]
    assert [ax.get_title() for ax in heat] == ["grouped", "not grouped", "third"]
    assert [t.get_text() for t in heat[0].get_yticklabels()] == ["A 0", "A 2", "B 1", "B 3"]
    order = [0, 2, 1, 3]
    shown = heat[0].collections[0].get_array().reshape(4, 4)
    np.testing.assert_allclose(shown, np.abs(np.subtract.outer(order, order)) / 2)


def test_resolution_shows_means_and_extremes_and_no_agreement_without_groups():
    agreement, federations = figures.resolution(RESOLVED, (0.1, 0.3)).axes
    curves = [line for line in agreement.lines if len(line.get_xdata()) == 3]
    assert len(curves) == 1  # the plays have no groups
    np.testing.assert_allclose(curves[0].get_ydata(), [0.15, 0.3, 0.6])
    band = agreement.collections[0].get_paths()[0].vertices
    assert {tuple(v) for v in np.round(band, 6)} >= {(0.1, 0.1), (0.1, 0.2), (0.4, 0.4), (0.4, 0.8)}
    assert len([line for line in federations.lines if len(line.get_xdata()) == 3]) == 2
    marked = [line.get_xdata()[0] for line in federations.lines if len(line.get_xdata()) == 2]
    assert marked == [0.1, 0.3]


def test_worth_is_in_points_at_the_line_of_its_method():
    hospitals, plays = figures.worth(WORTH).axes
    np.testing.assert_allclose(hospitals.containers[0].lines[0].get_xydata(), [[2, 0], [-1, 1]])
    np.testing.assert_allclose(plays.containers[0].lines[0].get_xydata(), [[3, 1]])
    (bars,) = plays.containers[0].lines[2]
    np.testing.assert_allclose(bars.get_segments(), [[[1, 1], [5, 1]]])
    assert [t.get_text() for t in hospitals.get_yticklabels()] == ["over local", "over global"]


# --- privacy ------------------------------------------------------------------------------------


def test_private_recovery_draws_means_and_no_privacy_at_the_right():
    iid, rotation = figures.private_recovery(HIDDEN).axes
    assert (iid.get_title(), rotation.get_title()) == ("iid", "rotation")
    for ax in (iid, rotation):
        lines = [line for line in ax.lines if line.get_linestyle() != "None"]
        without = [line for line in ax.lines if line.get_linestyle() == "None"]
        assert [line.get_label() for line in lines] == [
            "by novelty, 100 samples per client",
            "by novelty, 600 samples per client",
        ]
        np.testing.assert_allclose(lines[0].get_xydata(), [[0.5, 0.3], [4, 0.7]])
        np.testing.assert_allclose(without[0].get_xydata(), [[12, 0.9]])
        assert [t.get_text() for t in ax.get_xticklabels()] == ["0.5", "4", "none"]
        band = ax.collections[0].get_paths()[0].vertices
        assert {tuple(v) for v in np.round(band, 6)} >= {(0.5, 0.2), (0.5, 0.4), (4.0, 0.6)}


def test_membership_draws_each_sweep_and_the_bound_only_over_epsilon():
    steps, samples, epsilon = figures.membership(EXPOSED, BOUND).axes
    assert [ax.get_xlabel() for ax in (steps, samples)] == ["training steps", "training samples"]
    np.testing.assert_allclose(steps.lines[0].get_xydata(), [[10, 0.51], [100, 0.71]])
    bounds = [
        line.get_xydata().tolist()
        for line in epsilon.lines
        if line.get_label() == "no attack is better"
    ]
    assert bounds == [[[1.0, 0.73], [8.0, 0.99]]]
    assert not any(line.get_label() == "no attack is better" for line in steps.lines)


def test_reconstruction_titles_rows_and_columns():
    rows = {"one": list(PICTURES[0]), "two": list(PICTURES[0])}
    axes = figures.reconstruction(rows, ["a", "b", "c"]).axes
    assert [ax.get_title() for ax in axes] == ["a", "b", "c", "", "", ""]
    assert [axes[k].texts[0].get_text() for k in (0, 3)] == ["one", "two"]


def test_exponents_by_hand():
    n = pd.Series([10, 100, 1000, 10000])
    assert figures.exponent(n, n**2 / 7) == pytest.approx(2)
    assert figures.exponent(n, pd.Series([50.0, 3.0, 3.0, 3.0])) == pytest.approx(0)
    assert np.isnan(figures.exponent(n[:1], n[:1]))


# --- figures of the test ------------------------------------------------------------------------


def test_a_band_of_one_p_value_is_its_interval():
    np.testing.assert_allclose(figures.simultaneous_bands(1)[:, 0], [0.025, 0.975], atol=0.005)


def test_a_band_holds_the_expected_p_values_and_is_symmetric():
    lower, upper = figures.simultaneous_bands(60)
    expected = (np.arange(60) + 0.5) / 60
    assert (lower < expected).all() and (expected < upper).all()
    np.testing.assert_allclose(lower, 1 - upper[::-1], atol=1e-12)


@pytest.mark.parametrize("n", [20, 60])
def test_uniform_p_values_leave_the_band_as_often_as_promised(n):
    lower, upper = figures.simultaneous_bands(n)
    p = np.sort(np.random.default_rng(1).random((4000, n)), axis=1)
    outside = ((p < lower) | (p > upper)).any(1).mean()
    assert 0.035 < outside < 0.065  # four standard errors either side of .05


def test_quantiles_has_a_panel_per_case_with_its_own_band():
    table = pd.DataFrame(
        {"case": ["a"] * 40 + ["b"] * 20, "by": ["x", "y"] * 30, "p": np.linspace(0.01, 1, 60)}
    )
    panels = figures.quantiles(table, "case", "by").axes
    assert [ax.get_title() for ax in panels] == ["a", "b"]
    for ax, n in zip(panels, (20, 10), strict=True):
        assert [len(line.get_xdata()) for line in ax.lines[:2]] == [n, n]
        band = ax.collections[0].get_paths()[0].vertices[:, 1]
        ends = -np.log10(figures.simultaneous_bands(n))
        np.testing.assert_allclose([band.min(), band.max()], [ends.min(), ends.max()])


def test_a_calibration_curve_shows_shares_by_hand():
    figure = figures.calibration_curve(KEPT[KEPT["sizes"] == "equal"])
    bars = figure.axes[0].containers
    assert [bar.get_label() for bar in bars] == ["by novelty", "by features"]
    for bar in bars:
        np.testing.assert_allclose(bar[0].get_xdata().astype(float), [0, 0.2, 0.8, 1], atol=0.01)
        np.testing.assert_allclose(bar[0].get_ydata(), [0, 0.2, 0.8, 1])
        low, high = bar[2][0].get_segments()[1][:, 1]
        np.testing.assert_allclose([low, high], [0.00505, 0.71642], atol=1e-5)  # of 1 in 5
