import json
import socket
import threading
import urllib.request

import pytest

from tlsearch.reports.dashboard import readable_storage, serve
from tlsearch.spaces.errors import OptionError

from .factory import whole_study


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return whole_study(tmp_path_factory.mktemp("runs") / "photos")


def test_attributes_are_for_people(store):
    storage = readable_storage(store)
    trials = storage.get_all_trials(storage.get_study_id_from_name("photos"))
    first, fourth, failed = (trials[number].user_attrs for number in (1, 5, 4))
    assert first["technique"] == "fine-tune" and first["settings"] == "from layer 100, lr 0.001" and first["time"] == "75 s"
    assert first["test accuracy"].endswith("% over 3 seeds") and first["trained parameters"] == 1_862_144
    assert "test accuracy" not in fourth and fourth["settings"] == "lr 4.7e-5, head 2 × 128, dropout 0.25"
    assert failed["error"] == "the training loss became nan"
    assert not {"recipe", "values", "owner", "curve"} & set(first)


def test_the_study_itself_is_not_changed(store):
    before = store.trials()
    storage = readable_storage(store)
    storage.get_all_trials(storage.get_study_id_from_name("photos"))
    assert store.trials() == before


def test_it_answers_on_loopback(store):
    pytest.importorskip("optuna_dashboard", reason="the extra dashboard brings it")
    ready = threading.Event()
    address = []

    def told(where):
        address.append(where)
        ready.set()

    threading.Thread(target=serve, args=(store, 0, told), daemon=True).start()
    assert ready.wait(60) and address[0].startswith("http://127.0.0.1:")
    root = address[0].removesuffix("dashboard/")
    with urllib.request.urlopen(f"{root}api/studies", timeout=30) as answer:
        (study,) = json.load(answer)["study_summaries"]
    with urllib.request.urlopen(f"{root}api/studies/{study['study_id']}?after=0", timeout=30) as answer:
        trials = json.load(answer)["trials"]
    shown = {attribute["key"]: attribute["value"] for attribute in trials[1]["user_attrs"]}
    assert "from layer 100" in shown["settings"] and len(trials) == 6


def test_a_port_that_is_taken_is_named(store):
    pytest.importorskip("optuna_dashboard", reason="the extra dashboard brings it")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for one in (port, 70_000):
            with pytest.raises(OptionError, match=f"--port must be a free port, got {one}"):
                serve(store, one, print)


def test_without_the_extra_it_says_how_to_install_it(store, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "optuna_dashboard", None)
    with pytest.raises(OptionError, match="pip install"):
        serve(store, 0, print)
