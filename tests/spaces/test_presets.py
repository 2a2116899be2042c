import re
from pathlib import Path

import pytest

from tlsearch.spaces.errors import SpaceError
from tlsearch.spaces.presets import load_preset
from tlsearch.spaces.recipe import Technique


def write(tmp_path, text):
    path = tmp_path / "space.toml"
    path.write_text(text)
    return str(path)


def test_post_is_the_posts_two_experiments():
    preset = load_preset("post")
    frozen, fine_tuned = (preset.space.recipe(values) for values in preset.space.grid(None))
    assert (preset.size, preset.alpha, preset.space.size, preset.early_stopping) == (128, 1.0, 2, False)
    assert (frozen.technique, frozen.epochs, frozen.batch_size, frozen.optimizer) == (Technique.FROZEN, 50, 128, "rmsprop")
    assert (fine_tuned.fine_tune_at, fine_tuned.epochs, fine_tuned.head_epochs) == (100, 5, 50)
    assert {frozen.learning_rate, fine_tuned.learning_rate, fine_tuned.head_learning_rate} == {1e-4}
    # The fine-tuned one starts from the very head that the frozen one trains.
    assert fine_tuned.first_stage == frozen


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    text = """
    size = 96
    [space]
    techniques = ["frozen", "full"]
    dropout = 0.1
    head_units = [0, 32]
    learning_rate.full = { low = 1e-6, high = 1e-4, log = true }
    epochs.full = 3
    """
    preset = load_preset(write(tmp_path, text))
    space = preset.space.as_dict()
    assert preset.size == 96
    assert space["techniques"] == ["frozen", "full"]
    assert (space["dropout"], space["head_units"]) == (0.1, [0, 32])
    assert space["learning_rate"]["full"] == {"low": 1e-6, "high": 1e-4, "log": True}
    assert space["learning_rate"]["frozen"] == load_preset("default").space.as_dict()["learning_rate"]["frozen"]
    assert space["epochs"] == {"frozen": 20, "full": 3}


def test_a_file_may_build_on_another_preset(tmp_path):
    preset = load_preset(write(tmp_path, 'base = "post"\n[space]\nbatch_size = 64\n'))
    assert {preset.space.recipe(values).batch_size for values in preset.space.grid(None)} == {64}
    assert preset.space.size == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[space]\ndropuot = 0.1", "no key 'dropuot'. Did you mean dropout"),
        ("sizes = 3", "no key 'sizes'. Did you mean size"),
        ("[space]\ndropout = { low = 0.5, high = 0.1 }", "dropout: a range must have its lower bound first"),
        ("[space]\ndropout = { low = 0.5 }", "dropout: a range must have low and high"),
        ("[space]\nhead_units = []", "head_units: a choice must have at least one value"),
        ("[space]\nfine_tune_at = 999", "fine_tune_at must be between 1 and 153"),
        ("[space]\nfine_tune_at = { low = 1, high = 5 }", "List the layers"),
        ("[space]\ntechniques = ['thaw']", "techniques must be a list of"),
        ("[space]\nepochs = 'many'", "epochs must be a whole number"),
        ("[space]\nlearning_rate.ful = 1e-4", "Did you mean full"),
        ("base = 'nothing'", "base must be one of"),
        ("size = 'large'", "size is of the wrong kind"),
        ("space = 3", "space must be a table"),
        ("this is not toml", "must be a TOML file"),
    ],
)
def test_refuses_a_file_and_names_it(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(SpaceError, match=message) as caught:
        load_preset(path)
    assert path in str(caught.value)


def test_refuses_a_name_that_is_neither_preset_nor_file():
    with pytest.raises(SpaceError, match="--space must be default, post, smoke or a TOML file, got nope"):
        load_preset("nope")


def test_the_example_in_the_readme_is_a_space_file(tmp_path):
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    preset = load_preset(write(tmp_path, example))
    space = preset.space.as_dict()
    assert preset.size == 160
    assert (space["techniques"], space["fine_tune_at"]) == (["frozen", "fine-tune"], [98, 116, 134])
    assert (space["batch_size"], space["epochs"]) == (64, {"frozen": 20, "fine-tune": 10})
    assert space["learning_rate"]["fine-tune"] == {"low": 1e-5, "high": 1e-3, "log": True}


@pytest.mark.parametrize("base", ["[]", "{}", "1", '"nope"'])
def test_a_base_that_is_none_is_refused(tmp_path, base):
    file = tmp_path / "space.toml"
    file.write_text(f"base = {base}")
    with pytest.raises(SpaceError, match="base must be one of default, post, smoke, got"):
        load_preset(str(file))
