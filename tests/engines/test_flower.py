"""The protocol over Flower messages, in this process: same results as simulate, and failures."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("flwr")

from filelock import FileLock
from flower_grid import LocalGrid, with_config
from flwr.app import Array, ArrayRecord, Context, Error, MetricRecord, RecordDict

from rndcfl import Clients, discover, from_tables, make_clients, simulate
from rndcfl.common.errors import InputError, WireError
from rndcfl.common.ledger import Ledger
from rndcfl.criteria import Calibrated
from rndcfl.flower import app_folder
from rndcfl.flower.post import FlowerPost
from rndcfl.flower.projection import project
from rndcfl.flower.records import count_bytes, letter_of, record_of
from rndcfl.flower.server_app import app as server_app
from rndcfl.protocol import coordinator, loaders, training
from rndcfl.protocol.config import NODES_OWN, Config
from rndcfl.protocol.coordinator import Coordinator
from rndcfl.protocol.discovering import Found, among
from rndcfl.protocol.federating import renamed
from rndcfl.protocol.letters import Letter
from rndcfl.reports import Report

CONFIG = Config(
    rounds=3,
    steps=30,
    min_clients=2,
    timeout_hello=0.5,
    timeout_discovery=0.5,
    timeout_training=0.5,
    timeout_evaluation=0.5,
)


@pytest.fixture
def four(stripe_clients):
    return stripe_clients(4, n=60, n_test=20)


@pytest.fixture
def grid(four, tmp_path):
    """Four sites, each with a file of its own."""
    return LocalGrid([at_home(client, i, tmp_path) for i, client in enumerate(four)])


def at_home(client, i, folder):
    arrays = {k: getattr(client, k) for k in ("x", "y", "x_test", "y_test")}
    np.savez(folder / f"{i}.npz", **{k: v for k, v in arrays.items() if v is not None})
    return {"client": i, "data": str(folder / f"{i}.npz")}


def run(grid, folder, config=CONFIG):
    lines = []
    server = Coordinator(FlowerPost(grid, lines.append), config, folder, lines.append)
    server.run()
    return server.progress, lines


def scores(progress):
    return pd.DataFrame(progress.history).sort_values(["round", "client"], ignore_index=True)


# --- the same as in one process -----------------------------------------------------------------


@pytest.mark.parametrize("criterion, tolerance", [("calibrated", None), ("paper", 0.5)])
def test_federations_and_models_are_those_of_a_simulation(
    four, grid, tmp_path, criterion, tolerance
):
    config = replace(
        CONFIG, recluster_every=2, criterion=criterion, tolerance=tolerance or 0.0, min_clients=4
    )
    progress, _ = run(grid, tmp_path / "out", config)
    asked = dict(criterion=criterion, tolerance=tolerance, steps=30)
    history = simulate(four, "rnd", rounds=3, recluster_every=2, **asked)
    found = discover(four, **asked)
    assert found.n_federations == 2
    assert [d["round"] for d in progress.discoveries] == [0, 2]
    for discovery in progress.discoveries:
        assert discovery["labels"] == history.labels[discovery["round"]].tolist()
    np.testing.assert_allclose(progress.discoveries[0]["novelty"], found.novelty, atol=1e-7)
    ours, theirs = scores(progress), history.table
    assert len(ours) == len(theirs) == 12
    np.testing.assert_allclose(ours["loss"], theirs["loss"], atol=1e-4)
    np.testing.assert_allclose(ours["accuracy"], theirs["accuracy"], atol=1 / 20 + 1e-9)
    assert ours["federation"].tolist() == theirs["federation"].tolist()


def test_defences_are_those_of_a_simulation(four, grid, tmp_path):
    config = replace(CONFIG, defence="robust", aggregation="median", min_clients=4)
    progress, _ = run(grid, tmp_path / "out", config)
    asked = dict(defence="robust", aggregation="median", steps=30)
    history = simulate(four, "rnd", rounds=3, **asked)
    np.testing.assert_allclose(scores(progress)["loss"], history.table["loss"], atol=1e-4)


def test_tables_are_brought_to_one_scale_by_sums(tmp_path):
    rng = np.random.default_rng(0)
    tables, configs = [], []
    for i in range(4):
        x = rng.normal((70, 3, 0), (10, 1, 2), (80, 3))
        x[:, 1] += 4 * (i % 2)
        y = (x[:, 0] > 70).astype(int)
        x[rng.random(80) < 0.1, 2] = np.nan
        tables.append((x, y))
        table = pd.DataFrame(x, columns=["age", "dose", "lab"]).assign(outcome=y)
        table.to_csv(tmp_path / f"{i}.csv", index=False)
        configs.append({"client": i, "data": str(tmp_path / f"{i}.csv"), "label": "outcome"})
    config = replace(CONFIG, steps=100)
    progress, _ = run(LocalGrid(configs), tmp_path / "out", config)
    clients = from_tables(tables)
    assert progress.sample_shape == clients.input_shape == (4,)
    assert progress.labels == {0: 0, 1: 1, 2: 0, 3: 1}
    history = simulate(clients, "rnd", rounds=3, steps=100)
    assert list(progress.labels.values()) == history.labels[-1].tolist()
    np.testing.assert_allclose(scores(progress)["loss"], history.table["loss"], atol=1e-4)


def test_text_travels_as_well(tmp_path):
    rng = np.random.default_rng(0)
    clients = Clients.from_arrays(
        [
            (x := rng.integers(20 * (i % 2), 20 * (i % 2) + 10, (60, 12)), np.roll(x, -1, 1))
            for i in range(4)
        ],
        kind="text",
    )
    homes = [at_home(client, i, tmp_path) | {"kind": "text"} for i, client in enumerate(clients)]
    grid = LocalGrid(homes)
    config = replace(CONFIG, model="gru", rounds=2, steps=60)
    progress, _ = run(grid, tmp_path / "out", config)
    history = simulate(clients, "rnd", rounds=2, steps=60)
    assert (
        progress.labels == dict(enumerate(history.labels[-1].tolist())) == {0: 0, 1: 1, 2: 0, 3: 1}
    )
    np.testing.assert_allclose(scores(progress)["loss"], history.table["loss"], atol=1e-4)
    with pytest.raises(InputError, match="0 of at least 2"):
        run(grid, tmp_path / "other", replace(config, model="mlp"))


def test_series_travel_as_well(tmp_path):
    clients = make_clients("waves", "mounting", 4, 2, samples_per_client=60, test_per_client=20)
    grid = LocalGrid([at_home(client, i, tmp_path) for i, client in enumerate(clients)])
    config = replace(CONFIG, model="conv1d", rounds=2, steps=60)
    progress, _ = run(grid, tmp_path / "out", config)
    history = simulate(clients, "rnd", rounds=2, model="conv1d", steps=60)
    assert progress.labels == {0: 0, 1: 1, 2: 0, 3: 1}
    np.testing.assert_allclose(scores(progress)["loss"], history.table["loss"], atol=1e-4)


def test_whole_numbers_at_a_site_are_a_table(tmp_path):
    rng = np.random.default_rng(0)
    homes = []
    for i in range(2):
        np.savez(
            tmp_path / f"{i}.npz", x=rng.integers(9, size=(40, 3)) + 9 * i, y=np.arange(40) % 2
        )
        homes.append({"client": i, "data": str(tmp_path / f"{i}.npz")})
    progress, _ = run(LocalGrid(homes), tmp_path / "out", replace(CONFIG, rounds=1))
    assert progress.about["kind"] == "table" and progress.labels == {0: 0, 1: 1}


def test_columns_in_another_order_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    homes = []
    for i, names in enumerate((["a", "b"], ["b", "a"], ["a", "b"])):
        frame = pd.DataFrame(rng.normal(size=(40, 2)), columns=names).assign(y=np.arange(40) % 2)
        frame.to_csv(tmp_path / f"{i}.csv", index=False)
        homes.append({"client": i, "data": str(tmp_path / f"{i}.csv")})
    progress, lines = run(LocalGrid(homes), tmp_path / "out", replace(CONFIG, rounds=1))
    assert sorted(progress.labels) == [0, 2]
    said = "client 1 has other columns than the others, or in another order"
    assert any(said in line for line in lines)


def test_messages_weigh_what_the_ledger_says(four, grid, tmp_path):
    progress, _ = run(grid, tmp_path / "out")
    mail = pd.DataFrame(progress.mail).groupby(["kind", "direction"])["bytes"].sum()
    ledger = simulate(four, "rnd", rounds=3, steps=30).ledger
    trained, found = ledger.total("training"), ledger.total("discovery")
    n = len(four)
    ups = mail["train", "up"]
    downs = mail["train", "down"] + mail["evaluate", "down"]
    assert ups == pytest.approx(trained["bytes_up"], rel=0.03)
    assert downs == pytest.approx(trained["bytes_down"], rel=0.03)
    assert mail["predictor", "up"] == pytest.approx(found["bytes_up"], rel=0.03)
    # One bank for all: a client's own predictor travels along.
    bank = found["bytes_down"] * n / (n - 1)
    assert mail["row", "down"] == pytest.approx(bank, rel=0.03)


# --- who does not do as asked -------------------------------------------------------------------


def misbehave(kind, spoil, at=None):
    """Node 103 answers one kind of question by `spoil(reply)`, at its `at`-th time or always."""
    times = []

    def tamper(node, message, reply):
        if node != 103 or message.metadata.message_type != kind:
            return reply
        times.append(node)
        return spoil(reply) if at is None or len(times) - 1 == at else reply

    return tamper


def arrays(**changed):
    def spoil(reply):
        record = reply.content["arrays"]
        name = next(iter(record))
        value = changed["by"](record[name].numpy())
        reply.content["arrays"] = ArrayRecord({name: Array.from_numpy_ndarray(value)})
        return reply

    return spoil


def without(name):
    def spoil(reply):
        del reply.content[name]
        return reply

    return spoil


def weights(by):
    def spoil(reply):
        model = {k: by(v.numpy()) for k, v in reply.content["model"].items()}
        record = {k: Array.from_numpy_ndarray(v) for k, v in model.items()}
        reply.content["model"] = ArrayRecord(record)
        return reply

    return spoil


def many_samples(reply):
    reply.content["metrics"] = MetricRecord({"samples": -5})
    return reply


@pytest.mark.parametrize(
    "kind, spoil, says",
    [
        ("query.predictor", lambda r: Error(8, "stopped responding"), "stopped responding"),
        ("query.predictor", lambda r: None, "not answered"),
        ("query.predictor", arrays(by=lambda p: p * np.float32(np.nan)), "NaN"),
        ("query.predictor", arrays(by=lambda p: p[:, :-1]), "shape"),
        ("query.predictor", arrays(by=lambda p: np.vstack([p, p])), "2 predictors"),
        ("query.predictor", arrays(by=lambda p: p.astype(np.float64)), "float32"),
        ("query.predictor", without("arrays"), "no readable array"),
        ("query.predictor", without("config"), "no readable settings"),
        ("query.predictor", lambda r: with_config(r, "[1]"), "no table"),
        ("query.predictor", lambda r: with_config(r, '{"architecture": "x"}'), "another"),
        ("query.predictor", lambda r: with_config(r, "{}"), "architecture"),
        ("query.row", lambda r: None, "not answered"),
        ("query.row", lambda r: Error(5, "Node Unavailable"), "Node Unavailable"),
        ("query.row", arrays(by=lambda row: row * np.nan), "NaN"),
        ("query.row", arrays(by=lambda row: row[:-1]), "float64"),
        ("query.row", arrays(by=lambda row: -row), "not positive"),
        ("query.row", lambda r: with_config(r, '{"scored": 1}'), "scored 1"),
        ("query.row", lambda r: with_config(r, '{"scored": Infinity}'), "infinity"),
        ("query.row", lambda r: with_config(r, "[" * 100_000), "no readable settings"),
        ("train.federation", lambda r: None, "not answered"),
        ("train.federation", weights(lambda w: w * np.float32(np.inf)), "NaN or infinite"),
        ("train.federation", weights(lambda w: w[:1]), "must be"),
        ("train.federation", without("model"), "no readable model"),
        ("train.federation", many_samples, "-5 samples"),
        ("evaluate.federation", without("metrics"), "no readable number"),
    ],
)
def test_the_others_go_on_without_one_that_fails(grid, tmp_path, kind, spoil, says):
    grid.tamper = misbehave(kind, spoil)
    config = replace(CONFIG, rounds=2)
    progress, lines = run(grid, tmp_path / "out", config)
    assert any("left out" in line and says in line for line in lines), lines
    assert {c: f for c, f in progress.labels.items() if c != 3} == {0: 0, 1: 1, 2: 0}
    assert 3 not in scores(progress)["client"].tolist()
    assert {0, 1, 2} == set(scores(progress).query("round == 1")["client"])


def test_who_failed_once_is_greeted_again_and_placed(grid, tmp_path):
    grid.tamper = misbehave("query.row", lambda reply: None, at=0)
    progress, _ = run(grid, tmp_path / "out")
    assert progress.labels == {0: 0, 1: 1, 2: 0, 3: 1}
    assert [d["clients"] for d in progress.discoveries] == [[0, 1, 2], [0, 1, 2, 3]]
    assert scores(progress).groupby("client")["round"].min().tolist() == [0, 0, 0, 1]


def test_one_that_never_answers_is_asked_ever_more_rarely(grid, tmp_path):
    grid.tamper = lambda node, message, reply: None if node == 103 else reply
    run(grid, tmp_path / "out", replace(CONFIG, rounds=6, timeout_hello=0.1))
    assert grid.asked.count(("query.hello", 103)) == 3  # rounds 0, 1, 3


def test_a_late_joiner_is_placed_and_a_leaver_not_missed(grid, tmp_path):
    rounds = []

    def tamper(node, message, reply):
        if message.metadata.message_type == "evaluate.federation" and node == 100:
            rounds.append(node)
            grid.online = {100, 101, 102, 103} if len(rounds) == 1 else {100, 102, 103}
        return reply

    grid.tamper, grid.online = tamper, {100, 101, 102}
    progress, _ = run(grid, tmp_path / "out")
    assert [d["clients"] for d in progress.discoveries] == [[0, 1, 2], [0, 1, 2, 3]]
    assert progress.labels == {0: 0, 1: 1, 2: 0, 3: 1}
    there = scores(progress).groupby("round")["client"].apply(list).tolist()
    assert there == [[0, 1, 2], [0, 1, 2, 3], [0, 2, 3]]


def test_the_model_of_a_federation_stays_with_those_who_stay(grid, tmp_path):
    """A newcomer takes over its federation's model instead of making all begin anew."""
    grid.online = {100, 101, 102}
    grid.tamper = lambda node, message, reply: (grid.online.add(103), reply)[1]
    progress, _ = run(grid, tmp_path / "out", replace(CONFIG, rounds=6))
    losses = scores(progress).query("client == 0")["loss"]
    assert (np.diff(losses) < 0).all()


def test_a_name_that_comes_back_has_the_model_of_its_members(grid, tmp_path, monkeypatch):
    """Federation 1 is given up in round 1; the one that splits off in round 2 is not its heir."""
    labels, began = iter([(0, 1, 0, 1), (0, 0, 0, 0), (0, 1, 0, 1)]), []

    def found(meeting, clients, r):
        return Found(dict(zip(clients, next(labels), strict=True)), np.ones((4, 4)), {}, 0.0)

    def train(meeting, clients, r, train=training.train):
        began.append(dict(meeting.progress.versions))
        return train(meeting, clients, r)

    monkeypatch.setattr(coordinator, "discover_over", found)
    monkeypatch.setattr(training, "train", train)
    run(grid, tmp_path / "out", replace(CONFIG, recluster_every=1, min_clients=4))
    assert began[0] == {0: "", 1: ""}
    assert began[1] == {0: "0 after round 0"}
    assert began[2] == {0: "0 after round 1", 1: "0 after round 1"}


def test_two_sites_of_one_number_are_not_both_taken(four, tmp_path):
    configs = [at_home(client, i, tmp_path) for i, client in enumerate(four)]
    grid = LocalGrid([*configs, configs[0]])
    progress, lines = run(grid, tmp_path / "out", replace(CONFIG, rounds=1))
    assert any("client 0 is there already" in line for line in lines)
    assert sorted(progress.labels) == [0, 1, 2, 3]


def test_a_site_that_is_started_anew_takes_its_place_again(four, tmp_path):
    """Its old node counts as connected for a while after it has died."""
    configs = [at_home(client, i, tmp_path) for i, client in enumerate(four)]
    grid, trained = LocalGrid([*configs, configs[3]]), []
    grid.online = {100, 101, 102, 103}

    def tamper(node, message, reply):
        if message.metadata.message_type == "evaluate.federation" and node == 103:
            grid.online.add(104)
        elif node == 103 and 104 in grid.online:
            return None
        elif node == 104 and message.metadata.message_type == "train.federation":
            trained.append(node)
        return reply

    grid.tamper = tamper
    progress, _ = run(grid, tmp_path / "out", replace(CONFIG, rounds=5))
    assert trained and progress.labels == {0: 0, 1: 1, 2: 0, 3: 1}
    assert scores(progress).query("client == 3")["round"].max() == 4


@pytest.mark.parametrize(
    "about, says",
    [
        (dict(n_classes=10**9), "too large"),
        (dict(shape=[1, 10**6, 10**6]), "too large"),
        (dict(shape=[-1, -1, 5]), "too large"),
        (dict(shape=[1.5]), "nothing usable"),
        (dict(shape="8"), "nothing usable"),
        (dict(number=float("inf")), "nothing usable"),
        (dict(number=-1), "too large or empty"),
        (dict(kind="songs"), "nothing usable"),
        (dict(n_classes=None), "nothing usable"),
    ],
)
def test_no_hello_stops_the_server(grid, tmp_path, about, says):
    def tamper(node, message, reply):
        if message.metadata.message_type != "query.hello" or node != 100:
            return reply
        changed = json.loads(reply.content["config"]["json"]) | about
        return with_config(reply, json.dumps(changed))

    grid.tamper = tamper
    progress, lines = run(grid, tmp_path / "out", replace(CONFIG, rounds=1))
    assert any("refused" in line and says in line for line in lines)
    assert sorted(progress.labels) == [1, 2, 3]


def test_a_site_with_other_data_is_refused_by_name(four, tmp_path):
    configs = [at_home(client, i, tmp_path) for i, client in enumerate(four)]
    np.savez(tmp_path / "3.npz", x=np.zeros((20, 1, 9, 9), np.float32), y=np.zeros(20, int))
    np.savez(tmp_path / "2.npz", x=four[2].x)
    progress, lines = run(LocalGrid(configs), tmp_path / "out", replace(CONFIG, rounds=1))
    assert sorted(progress.labels) == [0, 1]
    assert any("shape [1, 9, 9], the others [1, 8, 8]" in line for line in lines)
    assert any("client 2 has no labels" in line for line in lines)


# --- stopping and resuming ----------------------------------------------------------------------


def test_with_too_few_clients_it_stops_with_one_line(grid, tmp_path):
    grid.online = {100}
    with pytest.raises(InputError, match="1 of at least 2 clients are there") as error:
        run(grid, tmp_path / "out", replace(CONFIG, timeout_hello=0.1))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "kind, at",
    [("query.predictor", 0), ("query.row", 3), ("train.federation", 6), ("evaluate.federation", 9)],
)
def test_a_server_that_died_resumes_to_the_same_models(grid, tmp_path, kind, at):
    whole, _ = run(grid, tmp_path / "whole")
    count = []

    def die(node, message, reply):
        if message.metadata.message_type == kind:
            count.append(node)
            if len(count) == at + 1:
                raise KeyboardInterrupt
        return reply

    grid.tamper = die
    with pytest.raises(KeyboardInterrupt):
        run(grid, tmp_path / "out")
    grid.tamper = lambda node, message, reply: reply
    resumed, lines = run(grid, tmp_path / "out")
    done = at // 4 if kind.startswith(("train", "evaluate")) else 0
    assert any("resuming with round" in line for line in lines) == (done > 0)
    pd.testing.assert_frame_equal(scores(resumed), scores(whole))
    for federation, model in whole.models.items():
        for name, values in model.items():
            assert (resumed.models[federation][name] == values).all()


def test_what_is_finished_is_neither_repeated_nor_overwritten(grid, tmp_path):
    run(grid, tmp_path)
    before = (tmp_path / "history.csv").read_bytes()
    grid.asked.clear()
    run(grid, tmp_path)
    assert grid.asked == [] and (tmp_path / "history.csv").read_bytes() == before
    with pytest.raises(InputError, match="other settings; give another output folder"):
        run(grid, tmp_path, replace(CONFIG, seed=1))
    progress, _ = run(grid, tmp_path, replace(CONFIG, rounds=4, timeout_hello=1.0))
    assert progress.round == 4
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["finished"] and result["labels"] == {"0": 0, "1": 1, "2": 0, "3": 1}


def test_two_runs_in_one_folder_are_refused(grid, tmp_path, monkeypatch):
    monkeypatch.setattr("rndcfl.flower.server_app.ENDING", 0)
    config = {"output": str(tmp_path), "rounds": 1, "steps": 30, "timeout-hello": 0.5}
    context = Context(1, 1, {}, RecordDict(), config)
    with FileLock(tmp_path / ".lock"), pytest.raises(InputError, match="another run is working"):
        server_app(grid, context)
    assert grid.asked == []
    server_app(grid, context)
    assert json.loads((tmp_path / "result.json").read_text())["finished"]
    assert "finished: 1 rounds" in (tmp_path / "log.txt").read_text()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not really", b"\x00" * 100])
def test_a_file_that_is_no_checkpoint_is_refused(grid, tmp_path, content):
    (tmp_path / "checkpoint.npz").write_bytes(content)
    with pytest.raises(InputError, match="no checkpoint of rndcfl"):
        run(grid, tmp_path)
    assert (tmp_path / "checkpoint.npz").read_bytes() == content


# --- parts --------------------------------------------------------------------------------------


def test_federations_keep_their_names_over_a_discovery():
    assert renamed({}, {4: 0, 7: 1}) == {4: 0, 7: 1}
    assert renamed({1: 5, 2: 5, 3: 8}, {1: 1, 2: 1, 3: 0}) == {1: 5, 2: 5, 3: 8}
    # Client 9 is new and joins 3; client 4 is new and alone; 2 has left; 6 is the next free name.
    before, after = {1: 2, 2: 2, 3: 5}, {1: 0, 3: 1, 9: 1, 4: 2}
    assert renamed(before, after) == {1: 2, 3: 5, 9: 5, 4: 6}
    # A name that only absent clients have is not given away.
    assert renamed({1: 0, 2: 7}, {1: 0, 3: 1}) == {1: 0, 3: 8}


def test_reports_among_those_who_answered():
    covariance = np.array([[1, 2], [2, 4.0]])
    rows = {
        c: Report(10 + c, np.array([1.0, 2.0]) * c, covariance * c, np.arange(3.0) + c)
        for c in (5, 9)
    }
    reports = among(rows, [5, 7, 9], peers=np.array([1, 2]))
    assert reports.samples.tolist() == [15, 19]
    assert reports.novelty.tolist() == [[5, 7], [9, 11]]
    assert reports.peers.tolist() == [1]  # of clients 7 and 9 only 9 is left, now at position 1
    assert reports.profile.tolist() == [[10], [18]]
    assert reports.covariance.tolist() == [[[20]], [[36]]]


def test_federations_without_one_are_those_of_its_rivals_rows(four):
    """Leaving a client's column out changes no other evidence but by that one predictor."""
    reports = discover(four, steps=30).reports
    rows = {c: row for c, row in enumerate(reports) if c != 3}
    left = among(rows, [0, 1, 2, 3], reports.peers, reports.share)
    assert Calibrated().judge(left, Ledger()).labels.tolist() == [0, 1, 0]


@pytest.mark.parametrize("n, m", [(1, 1), (5, 3), (4, 0)])
def test_a_report_survives_packing(n, m):
    rng = np.random.default_rng(0)
    half = rng.normal(size=(m, m))
    sent = Report(9, rng.normal(size=m), half @ half.T, rng.random(n) + 1)
    received = Report.unpack(9, sent.pack(), n, m)
    assert received.samples == 9
    for part in ("novelty", "profile", "covariance"):
        np.testing.assert_array_equal(getattr(received, part), getattr(sent, part))


def test_no_row_causes_anything_but_acceptance_or_refusal():
    rng = np.random.default_rng(0)
    values = np.array([0.0, -1.0, 1e308, np.nan, np.inf, 1.0])
    accepted = 0
    for _ in range(2000):
        size = int(rng.integers(0, 12))
        row = rng.choice(values, size, p=[0.02, 0.02, 0.02, 0.02, 0.02, 0.9])
        row = row.astype(">f8") if rng.random() < 0.1 else row
        try:
            Report.unpack(2, row, 3, 2)
            accepted += 1
        except WireError:
            pass
    assert 20 < accepted < 200  # length 8 in a twelfth of the cases


def test_a_letter_survives_flowers_records():
    sent = Letter(
        dict(round=3, peers=[0, 2]),
        {"row": np.arange(3.0)},
        {"weight": np.ones((2, 2), np.float32), "count": np.array(5)},
        dict(samples=4, loss=0.5),
    )
    received = letter_of(record_of(sent))
    assert received.config == sent.config and received.numbers == sent.numbers
    for ours, theirs in ((received.arrays, sent.arrays), (received.model, sent.model)):
        assert list(ours) == list(theirs)
        for name, values in theirs.items():
            assert ours[name].dtype == values.dtype and np.array_equal(ours[name], values)
    empty = record_of(Letter())
    assert len(empty) == count_bytes(empty) == 0 and letter_of(empty).model is None


def test_what_cannot_be_read_is_left_out_of_a_letter():
    pickled = Array("object", (1,), "numpy.ndarray", b"\x80\x04N.")
    good = Array.from_numpy_ndarray(np.zeros(2))
    received = letter_of(RecordDict({"arrays": ArrayRecord({"bad": pickled, "good": good})}))
    assert list(received.arrays) == ["good"] and received.config is None


@pytest.mark.parametrize(
    "config, says",
    [
        ({"min-client": 2}, "min-clients"),
        ({"rounds": 0}, "rounds"),
        ({"rounds": "3"}, "int"),
        ({"rounds": True}, "int"),
        ({"criterion": "papr"}, "paper"),
        ({"model": "mlpp"}, "mlp"),
        ({"lr": -1}, "lr"),
        ({"aggregation": "medium"}, "median"),
        ({"defence": "robust", "criterion": "paper"}, "calibrated"),
        ({"timeout-hello": 0}, "timeout_hello"),
        ({"steps": -1}, "steps"),
        ({"tolerance": float("nan"), "criterion": "paper"}, "tolerance"),
        ({"tolerance": 0.5}, "takes none"),
    ],
)
def test_a_wrong_run_configuration_is_refused(config, says):
    with pytest.raises(InputError, match=says):
        Config.from_table(config)


def test_a_run_configuration_reads_its_own_table():
    config = Config(rounds=7, model="cnn", timeout_hello=3.0)
    assert Config.from_table(config.table()) == config


def test_the_app_names_every_setting_with_its_default():
    import tomllib

    app = tomllib.loads((app_folder() / "pyproject.toml").read_text())["tool"]["flwr"]["app"]
    assert Config.from_table(app["config"]) == Config()
    assert set(app["config"]) == {*NODES_OWN, *(k.replace("_", "-") for k in vars(Config()))}


# --- a site's own data --------------------------------------------------------------------------


def own(number, config):
    return np.full((3, 2), float(number)), np.arange(3)


def test_a_site_says_where_its_data_are(tmp_path):
    x, y = loaders.load(4, {"data": "test_flower:own"}, {})
    assert x.tolist() == [[4, 4]] * 3 and y.tolist() == [0, 1, 2]
    pd.DataFrame({"a": [1, 2.5], "b": [None, 3], "y": [0, 1]}).to_csv(
        tmp_path / "s.csv", index=False
    )
    x, y = loaders.load(0, {"data": str(tmp_path / "s.csv")}, {})
    np.testing.assert_array_equal(x, [[1, np.nan], [2.5, 3]])
    assert y.tolist() == [0, 1]
    x, y, x_test, y_test = loaders.load(
        1, {"data": "rndcfl.flower.loaders:drawn", "clients": 4, "samples": 40}, {}
    )
    assert (len(x), len(x_test)) == (len(y), len(y_test)) == (40, 10)


def test_the_two_sites_of_the_apps_readme(tmp_path, monkeypatch):
    text = (app_folder() / "README.md").read_text()
    (tmp_path / "south_hospital.py").write_text(text.split("```python\n")[1].split("```")[0])
    monkeypatch.syspath_prepend(tmp_path)
    rows, ill = loaders.load(1, {"data": "south_hospital:load"}, {})
    table = pd.DataFrame(rows + np.array([0, 0, 150]), columns=["age", "pressure", "cholesterol"])
    table.assign(disease=ill).to_csv(tmp_path / "heart.csv", index=False)
    north = {"client": 0, "data": str(tmp_path / "heart.csv"), "label": "disease"}
    south = {"client": 1, "data": "south_hospital:load"}
    progress, _ = run(LocalGrid([north, south]), tmp_path / "out", replace(CONFIG, steps=0))
    assert progress.labels == {0: 0, 1: 1}
    assert progress.sample_shape == (4,)


def test_only_in_a_simulation_the_server_says_what_to_read():
    run_config = {"data": "test_flower:own"}
    assert loaders.load(0, {"partition-id": 0, "num-partitions": 2}, run_config)
    with pytest.raises(InputError, match="--node-config must say"):
        loaders.load(0, {"client": 0}, run_config)


@pytest.mark.parametrize(
    "node, says",
    [
        ({}, "must say where"),
        ({"data": 3}, "must say where"),
        ({"data": "/none/site.csv"}, "no file /none/site.csv"),
        ({"data": "/none/site.npz"}, "no file"),
        ({"data": "table.xlsx"}, "must be a .csv"),
        ({"data": "rndcfl.nothing:here"}, "cannot be imported"),
        ({"data": "rndcfl.common.errors:nothing"}, "cannot be imported"),
        ({"data": "rndcfl.flower.loaders:drawn", "clients": 2, "samples": 20}, "of only 2"),
    ],
)
def test_data_that_are_not_there_are_named(node, says):
    with pytest.raises(InputError, match=says):
        loaders.load(7, node, {})


@pytest.mark.parametrize("number", [None, -1, "0", True])
def test_a_site_without_a_number_is_refused(number):
    with pytest.raises(InputError, match="client=0"):
        loaders.number_of({} if number is None else {"client": number})


def test_files_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"no zip")
    np.savez(tmp_path / "b.npz", images=np.zeros(3))
    np.savez(tmp_path / "c.npz", x=np.array([{}], dtype=object))
    for name, says in (("a", "cannot be read"), ("b", "no array x"), ("c", "cannot be read")):
        with pytest.raises(InputError, match=says):
            loaders.load(0, {"data": str(tmp_path / f"{name}.npz")}, {})
    (tmp_path / "d.csv").write_text("a,y\n1,0.5\nx,1\n")
    with pytest.raises(InputError, match="whole numbers"):
        loaders.labelled(str(tmp_path / "d.csv"))
    (tmp_path / "e.csv").write_text("a,b\nx,1\n")
    with pytest.raises(InputError, match="column a is not numeric"):
        loaders.labelled(str(tmp_path / "e.csv"))
    with pytest.raises(InputError, match="'b'"):
        loaders.labelled(str(tmp_path / "e.csv"), "bb")
    (tmp_path / "f.csv").write_bytes(b"")
    with pytest.raises(InputError, match=r"f\.csv is empty"):
        loaders.labelled(str(tmp_path / "f.csv"))


@pytest.mark.parametrize("landmarks", [1, 65, 2.5])
def test_a_projection_wants_as_many_landmarks_as_a_profile_holds(landmarks):
    with pytest.raises(InputError, match="landmarks must be a whole number from 2 to 64"):
        project([100], landmarks, (1, 8, 8), 10, 100.0)
