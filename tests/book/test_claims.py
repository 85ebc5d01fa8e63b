"""The README's results are those of the published run: each is computed again from figures/."""

import re

import pandas as pd
import pytest

from rndcfl.book import paths
from rndcfl.book.run import parameters

README = (paths.root() / "README.md").read_text(encoding="utf-8")
SECTION = README.partition("## Results")[2].partition("\n## ")[0]
ROWS = [
    [cell.strip() for cell in line.strip("| ").split(" | ")]
    for line in SECTION.splitlines()
    if line.startswith("|")
][2:]
RESULTS = {row[0]: row for row in ROWS}


def read(id):
    return pd.read_csv(paths.figures() / f"{id}.csv")


def of(share, n):
    """ "9 of 10", for a share of `n` runs."""
    return f"{round(share * n)} of {n}"


def points(table, name, mean="gain_mean", half="gain_ci95"):
    row = table.loc[name]
    return f"{100 * row[mean]:+.1f} ± {100 * row[half]:.1f}"


def ratio(level, name):
    mean = read("fig_novelty_levels").groupby("level")["novelty"].mean()
    return f"{name} / own = {mean[level] / mean['own']:.2f}"


def readings():
    table = read("tab_readings").set_index("criterion")
    kinds = {
        "average": "average",
        "average, cliques": "average_cliques",
        "mutual": "mutual",
        "the authors' two-sided rule": "two_sided",
    }
    parts = [
        f"{k} {of(table['exact'][f'paper_{v}'], table['seeds'].iloc[0])}" for k, v in kinds.items()
    ]
    return "at the best tolerance of each reading: " + ", ".join(parts) + " seeds"


def without_tolerance():
    row = read("tab_readings").set_index("criterion").loc["calibrated"]
    return f"calibrated criterion: {of(row['exact'], row['seeds'])} seeds"


def suite():
    table = read("tab_recovery").query("clients == 12 and samples == 600")
    n = table.groupby("criterion")["seeds"].sum()["calibrated"]
    right = (table["exact"] * table["seeds"]).groupby(table["criterion"]).sum()
    return (
        f"{right['calibrated']:.0f} of {n} runs, one default; Eq. 9 at its best single tolerance "
        f"{right['paper_best_single']:.0f}"
    )


def cost(method):
    table = read("fig_discovery_cost").query("round == 99 and schedule == 'every_1'")
    own = table.query("method == @method")["seconds_cumulative"].iloc[0]
    ifca = table.query("method == 'ifca'").set_index("model")["seconds_cumulative"] / own
    return (
        f"{ifca['resnet18_imagenet_stem']:.1f} times (ImageNet stem), "
        f"{ifca['resnet18_cifar_stem']:.0f} times (CIFAR stem, extrapolated)"
    )


def bytes_once():
    table = read("fig_discovery_cost")
    once = table.query("method == 'rnd' and schedule == 'once'")["bytes_cumulative"].max()
    ifca = table.query("method == 'ifca'").groupby("model")["bytes_cumulative"].max().iloc[0]
    return f"{ifca / once:,.0f} times"


def task():
    table = read("tab_paper_task").set_index("method")
    parts = [
        f"{m} {table['accuracy_mean'][m]:.3f}" for m in ("global", "ifca", "rnd", "oracle", "local")
    ]
    gain = f"{table['gain_over_global']['rnd']:+.3f} ± {table['gain_ci95']['rnd']:.3f}"
    return f"{', '.join(parts)}; rnd minus global {gain}"


def methods():
    table = read("tab_methods").query("variant == 'default'").set_index(["setting", "method"])
    return table[table["dataset"] == "fashion-mnist"]


def gains():
    names = ("rotation", "classes", "quantity")
    return ", ".join(f"{name} {points(methods(), (name, 'rnd'))}" for name in names)


def losses():
    names = ("contrast", "noise", "label_swap")
    return ", ".join(f"{name} {points(methods(), (name, 'rnd'))}" for name in names)


def level():
    table = read("tab_level").query("case == 'all together' and clients == 12").iloc[0]
    return f"in {table['at 0.01']:.1%} of {table['runs']} dozens ({table['95% interval at 0.01']})"


def drift():
    table = read("tab_drift").query("kind == 'move'").set_index("schedule")
    signal, clock = table.loc["signal"], table.loc["every_5"]
    return (
        f"in the same round in {of(1 - signal['never'], 10)} seeds, "
        f"{signal['discovery, MB']:.0f} MB; every 5 rounds: "
        f"{clock['rounds until recovered']:.0f} rounds later, {clock['discovery, MB']:.0f} MB"
    )


def natural():
    table = read("tab_real_clients").query("method == 'rnd'").groupby("dataset").first()
    exact = {
        name: of(table["exact"][name], table["seeds"][name]) for name in ("heart-disease", "digits")
    }
    return (
        f"hospitals {exact['heart-disease']}, scanners {exact['digits']} seeds; "
        f"languages ARI {table['ari_mean']['sms']:.2f} "
        "(`min_effect=0.5`)"
    )


def worth():
    table = read("tab_real_clients").query("method == 'global'").set_index(["dataset", "metric"])
    digits, text, ill = (
        table.loc[key]
        for key in (("digits", "accuracy"), ("sms", "top1"), ("heart-disease", "auroc"))
    )
    of_global = [
        f"{100 * row['rnd_minus_mean']:+.1f} ± {100 * row['rnd_minus_ci95']:.1f}"
        for row in (digits, text, ill)
    ]
    return "digits {}, phones {}; **patients {}** (AUROC)".format(*of_global)


def scale():
    row = read("tab_scaling").query("clients == 10000 and mode == 'landmarks'").iloc[0]
    return (
        f"exact in {of(row['exact'], int(row['seeds']))} seeds, {row['seconds']:.0f} s, "
        f"{row['kb_per_client'] / 1e3:.1f} MB per client"
    )


def flower():
    table = read("tab_flower")
    same = (table["group"] == table["federation"]).all()
    federations = "the same federations" if same else "OTHER FEDERATIONS"
    return f"{federations}; losses apart by at most {table['loss_apart'].max():.0e}"


def hostile():
    table = read("tab_hostile").query("phase == 'discovery' and defence == 'robust'")
    worst = table.groupby("hostile")["honest_exact"].min()
    return (
        f'`defence="robust"`: at least {of(worst.drop(4).min(), 10)} seeds up to three liars, '
        f"{of(worst[4], 10)} with four"
    )


def private():
    table = read("tab_private_recovery").query("samples == 600 and epsilon == 1")
    exact = table.set_index(["by", "setting"])["exact"]

    def found(by):
        return ", ".join(f"{name} {of(exact[by, name], 10)}" for name in ("rotation", "noise"))

    features = f"by features {found('features')}"
    return f"{found('novelty')}; {features} seeds (600 images per client)"


CLAIMS = {
    "Novelty inside a group is near the own score": lambda: ratio("same group", "same"),
    "and clearly above it between groups": lambda: ratio("other group", "other"),
    "Eq. 9 finds the groups": readings,
    "A criterion without tolerance finds them": without_tolerance,
    "Ten settings, three datasets": suite,
    "Somebody is split off among equals (alpha = .01)": level,
    "RND at every round against IFCA, seconds": lambda: cost("rnd_authors"),
    "the same at our default budget": lambda: cost("rnd"),
    "Bytes of IFCA's assignment in 100 rounds / RND once": bytes_once,
    "Accuracy on the task": task,
    "Points over one global model where inputs differ": gains,
    "and where grouping does not pay": losses,
    "After a change, right again": drift,
    "Natural groups are found (clinics are random thirds of hospitals)": natural,
    "Points over one global model there": worth,
    "Ten thousand clients": scale,
    "Over Flower as in simulation": flower,
    "17 attacks on discovery, honest clients exact": hostile,
    "Differentially private discovery, epsilon 1": private,
}


def test_the_readme_states_these_results_and_no_others():
    assert set(RESULTS) == set(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_result_is_that_of_the_published_run(claim):
    assert RESULTS[claim][2] == CLAIMS[claim]()


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_result_names_its_figure_notebook_command_and_minutes(claim):
    figure, notebook, command, minutes = RESULTS[claim][3:]
    (path,) = re.findall(r"\((notebooks/(\w+)\.ipynb)\)", notebook)
    ids = re.findall(r"\(figures/(\w+)\.\w+\)", figure)
    record = paths.runs("paper") / path[1]
    assert ids and all((record / f"{id}.json").is_file() for id in ids)
    assert command == f"`--only {path[1][:2]}`"
    assert float(minutes) == parameters.expected_minutes(path[1], "paper")
