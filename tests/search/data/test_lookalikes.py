import io

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tlsearch.search.data import lookalikes as room
from tlsearch.search.data.dataset import open_folder
from tlsearch.search.data.inspection import inspect_folder
from tlsearch.search.data.lookalikes import find_lookalikes, lookalikes_of

SIDE = 96


def scene(seed):
    """A picture with coarse and fine structure, as a photograph has."""
    rng = np.random.default_rng(seed)
    layers = [
        np.asarray(
            Image.fromarray(rng.integers(0, 256, (side, side, 3), np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        )
        for side in (4, 9, 24, 48)
    ]
    return Image.fromarray(np.mean(layers, axis=0).astype(np.uint8))


def encoded(image):
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return Image.open(io.BytesIO(file.getvalue())).convert("RGB")


def shaken(image):
    """The next picture of a burst: moved and turned a little, under other light."""
    moved = image.transform(image.size, Image.Transform.AFFINE, (1, 0.02, 2, -0.02, 1, -2), Image.Resampling.BICUBIC)
    return ImageEnhance.Brightness(encoded(moved.crop((4, 4, 92, 92)))).enhance(0.9)


TWINS = {
    "encoded again": encoded,
    "half the size": lambda image: image.resize((48, 48)),
    "cropped": lambda image: image.crop((5, 0, 92, 91)),
    "mirrored": ImageOps.mirror,
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "without colour": lambda image: image.convert("L").convert("RGB"),
    "turned": lambda image: image.rotate(3, Image.Resampling.BICUBIC).crop((5, 5, 91, 91)),
    "a moment later": shaken,
}


def pixels(images):
    return np.stack([np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)) for image in images])


@pytest.mark.parametrize("change", TWINS.values(), ids=TWINS.keys())
def test_pictures_of_the_same_are_found_and_others_are_not(change):
    scenes = [scene(seed) for seed in range(40)]
    found = find_lookalikes(pixels([*scenes, *map(change, scenes[:5])]))
    assert [pair for *pair, _ in found] == [[number, 40 + number] for number in range(5)]


def test_where_all_pictures_are_nearly_the_same_only_more_than_that_counts():
    common = np.asarray(scene(0), np.float32)
    own = [0.5 * common + 0.5 * np.asarray(scene(seed), np.float32) for seed in range(1, 60)]
    assert [pair for *pair, _ in find_lookalikes(np.stack([*own, own[3]]).astype(np.uint8))] == [[3, 59]]


def test_what_chance_reaches_is_measured_only_where_a_pair_might_be_one(monkeypatch):
    measured = []
    needed = room._needed
    monkeypatch.setattr(room, "_needed", lambda chance: measured.append(len(chance)) or needed(chance))
    scenes = [scene(seed) for seed in range(20)]
    assert find_lookalikes(pixels(scenes)) == [] and not measured
    assert len(find_lookalikes(pixels([*scenes, encoded(scenes[0])]))) == 1 and measured[0] > 900


def test_progress_comes_to_an_end():
    events = []
    find_lookalikes(pixels([scene(seed) for seed in range(40)]), events.append)
    first, *between, last = events
    done = [event.done for event in between]
    assert (first.phase, first.total, last.phase) == ("compare", 40, "compare")
    assert done == sorted(done) and done[-1] == 40


@pytest.mark.parametrize("images", [0, 1, 2])
def test_few_or_plain_pictures_have_no_lookalikes(images):
    assert find_lookalikes(np.zeros((images, 32, 32, 3), np.uint8)) == []


@pytest.fixture
def photos(make_folder, tmp_path):
    """Two classes, each of whose first three scenes was shot twice; in one folder a class."""
    folder = make_folder({"cats": 0, "dogs": 0})
    for place, label in enumerate(("cats", "dogs")):
        (folder / label).mkdir(exist_ok=True)
        for number in range(20):
            image = scene(100 * place + number)
            image.save(folder / label / f"{number}.png")
            if number < 3:
                shaken(image).save(folder / label / f"{number}b.png")
    return folder


def sides(data):
    return {data.files[row]: part for part in ("train", "val", "test") for row in getattr(data, part)}


@pytest.mark.parametrize("seed", range(4))
def test_a_split_parts_no_lookalikes(photos, seed):
    found = sides(open_folder(photos, size=SIDE, seed=seed))
    assert len(found) == 46
    assert all(found[f"{label}/{n}.png"] == found[f"{label}/{n}b.png"] for label in ("cats", "dogs") for n in range(3))
    kept = [sides(open_folder(photos, size=SIDE, seed=seed, group_by="none")) for seed in range(4)]
    assert any(one["cats/0.png"] != one["cats/0b.png"] for one in kept)


def test_folds_part_none_either(photos):
    data = open_folder(photos, size=SIDE, folds=3)
    of = {data.files[row]: number for number, fold in enumerate(data.folds) for row in fold.test}
    assert all(of[f"dogs/{number}.png"] == of[f"dogs/{number}b.png"] for number in range(3))
    assert [data.fold(number).tied_images() is None for number in range(3)].count(False) >= 1


def test_a_given_split_that_does_is_told(photos):
    for label in ("cats", "dogs"):
        for part, chosen in (("test", "*b.png"), ("train", "*.png")):
            (photos / part / label).mkdir(parents=True)
            for file in (photos / label).glob(chosen):
                file.rename(photos / part / label / file.name)
        (photos / label).rmdir()
    found = inspect_folder(photos, size=SIDE)
    assert [(group.kind, group.files) for group in found.lookalikes][:1] == [
        ("across splits", ("test/cats/0b.png", "train/cats/0.png"))
    ]
    assert len(found.dataset.tied_images().seen) == 6 and found.duplicates == ()


def test_where_many_have_one_in_another_class_only_the_most_alike_count(tmp_path, monkeypatch):
    pairs = [(0, 1, 0.99), (2, 3, 0.9), (4, 5, 0.95), (6, 7, 0.85)]
    monkeypatch.setattr(room, "open_images", lambda folder: None)
    monkeypatch.setattr(room, "find_lookalikes", lambda images, listener: pairs)
    assert lookalikes_of(tmp_path, ["cat"] * 8) == [(0, 1), (2, 3), (4, 5), (6, 7)]
    # Two across classes, of which one in eight pictures may have one; kept from before.
    monkeypatch.setattr(room, "find_lookalikes", lambda images, listener: pytest.fail("asked again"))
    assert lookalikes_of(tmp_path, ["cat", "cat", "cat", "dog", "cat", "dog", "cat", "cat"]) == [(0, 1), (4, 5)]
    # One, which is less alike than is asked for across classes.
    assert lookalikes_of(tmp_path, ["cat"] * 7 + ["dog"]) == [(0, 1), (2, 3), (4, 5)]


def test_a_class_whose_pictures_all_look_alike_is_parted_with_a_remark(photos):
    for file in (photos / "cats").iterdir():
        file.unlink()
    for shade in range(8):
        ImageEnhance.Brightness(scene(0)).enhance(1 - shade / 20).save(photos / "cats" / f"{shade}.png")
    data = open_folder(photos, size=SIDE)
    assert "pictures of 'cats' look alike" in " ".join(data.remarks) and len(sides(data)) == 31
    numbers = dict(zip(data.files, data.groups.tolist(), strict=True))
    dogs = [[file for file in numbers if file.startswith("dogs") and numbers[file] == group] for group in set(numbers.values())]
    # Those of the other class stay together.
    assert sorted(map(len, dogs))[-3:] == [2, 2, 2] and len({numbers[file] for file in numbers if file.startswith("cats")}) == 8
    assert data.settings().remarks == data.remarks
