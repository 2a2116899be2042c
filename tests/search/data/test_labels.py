from __future__ import annotations

import os
import sys
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tlsearch.reports.words.inspection import warnings
from tlsearch.search.data import open_folder
from tlsearch.search.data.inspection import inspect_folder
from tlsearch.search.data.labels import count_unnamed, read_layout
from tlsearch.search.export.choice import study_data
from tlsearch.search.settings import SkippedFile
from tlsearch.search.study import Study
from tlsearch.spaces.backbone.spec import BackboneSpec
from tlsearch.spaces.errors import DataError, OptionError, StudyError

from ...platforms import needs
from ..factory import begin_trial


@pytest.fixture
def root(make_folder) -> Path:
    """Twelve images of each of two classes, in folders that say nothing."""
    return make_folder({"a": 12, "b": 12})


@pytest.fixture
def labels(tmp_path):
    """Writes a CSV file beside the folder of images."""

    def write(text: str | bytes, name: str = "labels.csv") -> Path:
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def table(root: Path, *, split=lambda number: "", header="path,label,split", rename=lambda path: path) -> str:
    """A row for each image of `root`: those in ``a`` are cats."""
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.png"))
    rows = [
        f"{rename(name)},{'cat' if name.startswith('a') else 'dog'},{split(number % 12)}" for number, name in enumerate(names)
    ]
    return "\n".join([header, *rows]) + "\n"


def placed(layout) -> dict[str, tuple[str, str]]:
    return {candidate.path: (candidate.split, candidate.label) for candidate in layout.candidates}


class TestReading:
    def test_rows_are_candidates_in_the_order_of_their_paths(self, root, labels):
        layout = read_layout(root, labels("label,path\ndog,b/1.png\ncat,a/2.png\ncat,./a/../a/1.png\n"))
        assert [(name, label) for name, (_, label) in placed(layout).items()] == [
            ("a/1.png", "cat"), ("a/2.png", "cat"), ("b/1.png", "dog")
        ]  # fmt: skip
        assert layout.splits == {"all": "."} and layout.skipped == ()
        assert [candidate.size for candidate in layout.candidates] == [
            (root / candidate.path).stat().st_size for candidate in layout.candidates
        ]

    @pytest.mark.parametrize("separator", [",", ";", "\t"])
    @pytest.mark.parametrize("header", ["path,label", "Path,LABEL", " path , label ", "id,path,label"])
    def test_headers_and_separators(self, root, labels, separator, header):
        row = "7,a/1.png,cat" if header.startswith("id") else "a/1.png,cat"
        layout = read_layout(root, labels(f"{header}\r\n{row}\r\n\r\n".replace(",", separator)))
        assert placed(layout) == {"a/1.png": ("all", "cat")}

    def test_a_byte_order_mark_quotes_and_blanks(self, root, labels):
        layout = read_layout(root, labels('\ufeff"path", "label"\n"a/1.png", "big, ""grey"" cat "\n,\n'))
        assert placed(layout) == {"a/1.png": ("all", 'big, "grey" cat')}

    def test_labels_are_composed(self, root, labels):
        decomposed = unicodedata.normalize("NFD", "café")
        assert placed(read_layout(root, labels(f"path,label\na/1.png,{decomposed}\n"))) == {"a/1.png": ("all", "café")}

    def test_absolute_paths_inside_the_folder(self, root, labels):
        assert placed(read_layout(root, labels(f"path,label\n{root / 'a' / '1.png'},cat\n"))) == {"a/1.png": ("all", "cat")}

    def test_paths_are_relative_to_the_folder_however_it_is_named(self, root, labels, monkeypatch):
        monkeypatch.chdir(root)
        path = labels("path,label\na/1.png,cat\n")
        assert placed(read_layout(".", path)) == placed(read_layout(root, path)) == {"a/1.png": ("all", "cat")}

    def test_the_same_row_twice_is_one(self, root, labels):
        assert len(read_layout(root, labels("path,label\na/1.png,cat\na/1.png,cat\n")).candidates) == 1

    @pytest.mark.parametrize(
        ("words", "splits"),
        [
            (["train", "test"], {"train": "train", "test": "test"}),
            (["Train", "VALID"], {"train": "train", "test": "valid"}),
            (["training", "validation", "testing"], {"train": "training", "val": "validation", "test": "testing"}),
            (["train"], {"all": "train"}),
            ([""], {"all": "."}),
        ],
    )
    def test_split_words_mean_what_split_folders_do(self, root, labels, words, splits):
        layout = read_layout(root, labels(table(root, split=lambda number: words[number % len(words)])))
        assert {candidate.split for candidate in layout.candidates} == set(splits)
        if splits != {"all": "train"}:
            assert layout.splits == splits


class TestSkips:
    @pytest.fixture
    def reasons(self, root, labels):
        def look(name: str, **options) -> str:
            layout = read_layout(root, labels(f"path,label\na/1.png,cat\n{name},dog\n"), **options)
            assert len(layout.candidates) + len(layout.skipped) == 2
            return layout.skipped[0].reason if layout.skipped else ""

        return look

    def test_what_folders_skip_too(self, root, reasons):
        (root / "notes.txt").write_text("no image")
        (root / "empty.png").touch()
        assert reasons("notes.txt") == "not an image file"
        assert reasons("empty.png") == "an empty file"
        assert reasons("b") == "not a regular file"
        assert reasons("b/none.png") == reasons("none/1.png") == "no such file"
        assert "null" in reasons("b/\0.png") and "cannot be read" in reasons(f"{'n' * 300}.png")

    @needs("os.mkfifo")
    def test_pipes(self, root, reasons):
        os.mkfifo(root / "pipe.png")
        assert reasons("pipe.png") == "not a regular file"

    def test_links_that_leave_the_folder(self, root, reasons, tmp_path):
        outside = tmp_path / "outside"
        outside.mkdir()
        (root / "b" / "1.png").rename(outside / "1.png")
        (root / "file.png").symlink_to(outside / "1.png")
        (root / "folder").symlink_to(outside)
        (root / "inner.png").symlink_to(root / "b" / "2.png")
        for name in ("file.png", "folder/1.png"):
            assert "leaves the folder" in reasons(name)
            assert reasons(name, follow_symlinks=True) == ""
        assert reasons("inner.png") == ""

    def test_a_few_missing_files_are_skipped_and_many_are_an_error(self, root, labels):
        text = table(root)
        few = read_layout(root, labels(text + "".join(f"gone/{number}.png,cat,\n" for number in range(10))))
        assert len(few.candidates) == 24 and len(few.skipped) == 10
        with pytest.raises(DataError, match=r"11 of 35 rows .* such as gone/0.png, gone/1.png, gone/10.png"):
            read_layout(root, labels(text + "".join(f"gone/{number}.png,cat,\n" for number in range(11))))

    def test_no_file_at_all_is_an_error_that_names_one(self, root, labels):
        with pytest.raises(DataError, match=r"2 skipped, such as c/1.png: no such file"):
            read_layout(root, labels("path,label\nc/1.png,cat\nc/2.png,dog\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "name the columns path and label .*got an empty line"),
        ("\n\n", "name the columns"),
        ("url,label\na/1.png,cat\n", "name the columns path and label .*got url, label"),
        ("path,kind\na/1.png,cat\n", "got path, kind"),
        ("path;kind\na/1.png;cat\n", "got path, kind"),
        ("id,breed,id\na/1.png,cat,\n", "one column id, got 2"),
        ("path,label\n", "for each image, got none .nothing below"),
        ("path,label,Label\na/1.png,cat,cat\n", "one column label, got 2"),
        ("path,label\na/1.png,\n,dog\n", "for each image, got none .2 skipped"),
        ("path,label\na/1.png,cat\na/1.png,dog\n", "one label, got a/1.png with 'cat' in line 2 and 'dog' in line 3"),
        ("path,label\na/1.png,cat\na/./1.png,dog\n", "one label, got a/1.png"),
        ("path,label,split\na/1.png,cat,train\na/1.png,cat,test\n", "one split, got a/1.png with 'train'"),
        ("path,label,split\na/1.png,cat,train\na/2.png,cat,extra\n", "hold train, val or test .*got 'extra' in line 3"),
        ("path,label,split\na/1.png,cat,train\na/2.png,cat,\n", "got an empty one in line 3 beside others"),
        ("path,label,split\na/1.png,cat,test\n", "have images of split train .*got only test"),
        ("path,label\n../labels.csv,cat\n", r"inside DATA, got \.\./labels.csv in line 2"),
        ("path,label\n/etc/passwd,cat\n", "inside DATA, got /etc/passwd in line 2"),
        ("path,label\na/../../photos2/1.png,cat\n", "inside DATA"),
        ('path,label\n"a/1.png,cat\na/2.png,dog\n', "be a sound CSV file, got unexpected end of data"),
        (b"path,label\na/1.png,caf\xe9\n", "UTF-8, got byte 0xe9"),
        ("path,label\na/1.png,cat\n".encode("utf-16"), "UTF-8, got byte 0xff"),
        (b"\x89PNG\r\n\x1a\n\0\0", "UTF-8"),
    ],
)
def test_what_is_wrong_is_said(root, labels, text, message):
    with pytest.raises(DataError, match=message):
        read_layout(root, labels(text))


def test_a_file_that_is_none_is_said(root, labels, tmp_path):
    for path, message in ((tmp_path / "none.csv", "no such file"), (tmp_path, "a folder"), ("\0", "")):
        with pytest.raises(DataError, match=f"--labels must be a CSV file, got .*{message}"):
            read_layout(root, path)
    file = labels("path,label\n1.png,cat\n")
    for folder, message in ((file, "a file"), (tmp_path / "none", "No such file")):
        with pytest.raises(DataError, match=f"DATA must be .*{message}"):
            read_layout(folder, file)


NAMED = {"path_column": "file", "label_column": "WHAT", "split_column": " fold ", "group_column": "patient"}


class TestColumns:
    TEXT = "id,File,What,Fold,Patient\n7,a/1.png,cat,train,p1\n8,b/1.png,dog,test,p2\n9,b/2.png,dog,train,NaN\n"

    def test_are_named_in_any_case(self, root, labels):
        layout = read_layout(root, labels(self.TEXT), **NAMED)
        assert [(one.path, one.label, one.split, one.group) for one in layout.candidates] == [
            ("a/1.png", "cat", "train", "p1"), ("b/1.png", "dog", "test", "p2"), ("b/2.png", "dog", "train", "")
        ]  # fmt: skip

    @pytest.mark.parametrize("separator", [";", "\t"])
    def test_whatever_separates(self, root, labels, separator):
        text = "my file,kind\na/1.png,cat\n".replace(",", separator)
        layout = read_layout(root, labels(text), path_column="my file", label_column="kind")
        assert placed(layout) == {"a/1.png": ("all", "cat")}

    @pytest.mark.parametrize("option", NAMED)
    def test_an_unknown_one_is_an_error_that_lists_those_there_are(self, root, labels, option):
        kind = option.removesuffix("_column")
        message = f"--{kind}-column must be a column of --labels, got none. .*labels.csv has id, File, What, Fold, Patient"
        with pytest.raises(DataError, match=message):
            read_layout(root, labels(self.TEXT), **NAMED | {option: "none"})

    @pytest.mark.parametrize("option", NAMED)
    def test_one_without_a_file_is_an_error(self, root, option):
        with pytest.raises(OptionError, match="-column names a column of --labels, got file without"):
            open_folder(root, size=8, **{option: "file"})

    def test_an_image_has_one_group(self, root, labels):
        text = "path,label,who\na/1.png,cat,x\na/1.png,cat,y\n"
        with pytest.raises(DataError, match=r"one group, got a/1\.png with 'x' in line 2 and 'y' in line 3"):
            read_layout(root, labels(text), group_column="who")

    def test_a_study_records_them_and_its_export_reads_by_them(self, root, labels, tmp_path):
        text = table(root, header="path,label,other").replace("path", "what file")
        data = open_folder(root, size=32, labels=labels(text), path_column="What File")
        settings = Study.open(tmp_path / "study", data, backbone=BackboneSpec(0.35, 32, "random")).store.settings
        assert settings.data.layout_options == {"path_column": "What File"}
        assert study_data(settings, None, None, lambda event: None).fingerprint == data.fingerprint


class TestOneHot:
    @pytest.mark.parametrize(("one", "zero"), [("1", "0"), ("1.0", "0.0"), ("True", "False")])
    def test_names_of_columns_are_the_classes(self, root, labels, one, zero):
        text = "image,age,Cat,Big dog,fold\na/1,7,1,0,train\nb/1,3,0,1,test\na/2,9,1,0,train\n"
        text = text.replace(",1", f",{one}").replace(",0", f",{zero}")
        layout = read_layout(root, labels(text), split_column="fold")
        assert placed(layout) == {
            "a/1.png": ("train", "Cat"), "a/2.png": ("train", "Cat"), "b/1.png": ("test", "Big dog")
        }  # fmt: skip

    def test_a_few_rows_without_exactly_one_are_skipped_and_many_are_an_error(self, root, labels):
        rows = [f"{path.relative_to(root)},{int(path.parent.name == 'a')},{int(path.parent.name == 'b')}" for path in
                sorted(root.rglob("*.png"))]  # fmt: skip
        odd = ["a/0.png,1,1", "a/1.png,0,0"]
        few = read_layout(root, labels("\n".join(["path,cat,dog", *rows[2:], *odd])))
        assert len(few.candidates) == 22
        assert [skip.reason for skip in few.skipped] == [
            f"{count} of its class columns hold a 1 in line {line}" for count, line in ((2, 24), (0, 25))
        ]
        with pytest.raises(DataError, match=r"several are not supported: .*\(cat, dog\), got 3 of 24 rows .* such as line 23,"):
            read_layout(root, labels("\n".join(["path,cat,dog", *rows[2:-1], "b/9.png,1,1", *odd])))

    def test_one_column_alone_is_none(self, root, labels):
        with pytest.raises(DataError, match="--label-column, got path, cat, count"):
            read_layout(root, labels("path,cat,count\na/1.png,1,3\nb/1.png,0,1\n"))


class TestRemarks:
    @pytest.mark.parametrize("word", ["", " ", "nan", "NaN", "NA", "n/a", "None", "NULL", "?"])
    def test_a_missing_label_costs_its_row(self, root, labels, word):
        layout = read_layout(root, labels(f"path,label\na/1.png,cat\na/2.png,{word}\n"))
        assert list(placed(layout)) == ["a/1.png"]
        assert [skip.path for skip in layout.skipped] == ["a/2.png"] and "no label in line 3" in layout.skipped[0].reason

    def test_space_around_a_label_is_not_part_of_it(self, root, labels):
        layout = read_layout(root, labels("path,label\na/1.png,cat\na/2.png,cat \n"))
        assert {one.label for one in layout.candidates} == {"cat"}

    @pytest.mark.parametrize(("one", "other"), [("Cat", "cat"), ("0", "0.0"), ("big  dog", "big dog"), ("V 1", "v 1.00")])
    def test_labels_that_are_nearly_the_same_are_two_classes_with_a_remark(self, root, labels, one, other):
        layout = read_layout(root, labels(f"path,label\na/1.png,{one}\na/2.png,{other}\nb/1.png,x\n"))
        assert {candidate.label for candidate in layout.candidates} == {one, other, "x"}
        assert layout.remarks[0].endswith(f"where they are one: {one!r} and {other!r}.")

    def test_others_are_not_remarked_on(self, root, labels):
        layout = read_layout(root, labels("path,label\na/1.png,1.5\na/2.png,1.05\nb/1.png,0\nb/2.png,10\n"))
        assert layout.remarks == ()

    def test_pictures_that_are_not_named_are_counted(self, root, labels):
        (root / "a" / "deeper").mkdir()
        (root / "b" / "1.png").rename(root / "a" / "deeper" / "1.png")
        (root / "notes.txt").touch()
        text = "path,label\na/1.png,cat\na/2,cat\na/3.png,\n"
        assert count_unnamed(read_layout(root, labels(text))) == 21
        assert count_unnamed(read_layout(root)) == 0


class TestParquet:
    @pytest.fixture
    def parquet(self, tmp_path):
        """Writes a Parquet file, where pyarrow is installed."""
        arrow = pytest.importorskip("pyarrow")
        from pyarrow.parquet import write_table

        def write(**columns) -> Path:
            write_table(arrow.table(columns), tmp_path / "labels.parquet")
            return tmp_path / "labels.parquet"

        return write

    def test_is_read_as_a_csv_file_is(self, root, parquet):
        layout = read_layout(root, parquet(image=["a/1.png", "b/1.png", "b/2.png"], label=[3, 4, None], split=["train"] * 3))
        assert placed(layout) == {"a/1.png": ("all", "3"), "b/1.png": ("all", "4")}
        assert layout.skipped == (SkippedFile("b/2.png", "no label in row 3"),)

    def test_one_hot(self, root, parquet):
        layout = read_layout(root, parquet(image=["a/1.png", "b/1.png"], cat=[True, False], dog=[0.0, 1.0]))
        assert placed(layout) == {"a/1.png": ("all", "cat"), "b/1.png": ("all", "dog")}

    def test_a_damaged_one_is_said(self, root, labels):
        pytest.importorskip("pyarrow")
        with pytest.raises(DataError, match="be a sound Parquet file"):
            read_layout(root, labels("path,label\n", "labels.parquet"))

    def test_without_pyarrow_it_is_said_what_to_install(self, root, labels, monkeypatch):
        monkeypatch.setitem(sys.modules, "pyarrow", None)
        with pytest.raises(DataError, match=r"not installed, got .*labels.parquet. Install pyarrow, or save the file as CSV"):
            read_layout(root, labels("", "labels.parquet"))


@pytest.mark.parametrize("suffix", [".xlsx", ".XLS", ".ods"])
def test_a_spreadsheet_is_refused(root, labels, suffix):
    with pytest.raises(DataError, match=r"got the spreadsheet .* Save it as CSV"):
        read_layout(root, labels(b"PK\3\4", f"labels{suffix}"))


@needs("os.mkfifo")
def test_a_pipe_is_not_waited_for(root, tmp_path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    with pytest.raises(DataError, match="not a regular file"):
        read_layout(root, pipe)


class TestDataset:
    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10)
    @given(data=st.data())
    def test_is_what_class_folders_give(self, make_folder, tmp_path_factory, data):
        """The same images under the same classes and splits: the same rows, splits, pixels and fingerprint."""
        root = make_folder({"train/cats": 9, "train/dogs": 9, "test/cats": 4, "test/dogs": 3})
        flat = data.draw(st.booleans())
        folder = root / "train" if flat else root
        names = data.draw(st.permutations(sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))))
        rows = [f"{name},{name.split('/')[-2]}" + ("" if flat else f",{name.split('/')[0]}") for name in names]
        file = tmp_path_factory.mktemp("csv") / "labels.csv"
        file.write_text("\n".join(["path,label" if flat else "path,label,split", *rows]))
        one, other = open_folder(folder, size=8), open_folder(folder, size=8, labels=file)

        assert (one.files, one.classes, one.fingerprint) == (other.files, other.classes, other.fingerprint)
        assert one.images_folder == other.images_folder, "decoded once"
        for part in ("train", "val", "test", "labels"):
            assert np.array_equal(getattr(one, part), getattr(other, part))
        assert (one.settings().labels, other.settings().labels) == ("", str(file))

    def test_given_splits_are_used(self, root, labels):
        words = ["train"] * 6 + ["val"] * 2 + ["test"] * 4
        dataset = open_folder(root, size=8, labels=labels(table(root, split=words.__getitem__)))
        assert [len(part) for part in (dataset.train, dataset.val, dataset.test)] == [12, 4, 8]

    def test_copies_stay_on_one_side(self, root, labels):
        for number in range(4):
            (root / "a" / f"copy{number}.png").write_bytes((root / "a" / "0.png").read_bytes())
        dataset = open_folder(root, size=8, labels=labels(table(root)))
        copies = [row for row, name in enumerate(dataset.files) if "copy" in name or name == "a/0.png"]
        assert len(copies) == 5
        assert sum(bool(set(copies) & set(part)) for part in (dataset.train, dataset.val, dataset.test)) == 1

    def test_one_class_is_an_error(self, root, labels):
        with pytest.raises(DataError, match=r"at least two classes .*got 1 in .*labels.csv \(cat\).*The labels name"):
            open_folder(root, size=8, labels=labels("path,label\na/1.png,cat\na/2.png,cat\n"))

    def test_a_class_that_a_split_lacks_is_an_error(self, root, labels):
        text = table(root, split=lambda number: "train").replace("a/1.png,cat,train", "a/1.png,cat,test")
        with pytest.raises(DataError, match=r"no usable image of class 'dog' in .*labels.csv, split test"):
            open_folder(root, size=8, labels=labels(text))

    def test_too_few_of_a_class_is_an_error(self, root, labels):
        with pytest.raises(DataError, match=r"at least 3 different images .*class 'cat' in .*labels.csv"):
            open_folder(root, size=8, labels=labels("path,label\na/1.png,cat\nb/1.png,dog\nb/2.png,dog\nb/3.png,dog\n"))

    def test_inspection(self, root, labels):
        file = labels(table(root) + "a/none.png,cat,\n")
        found = inspect_folder(root, size=8, labels=file)
        assert found.problem == "" and found.found == {"cat": {"all": 12}, "dog": {"all": 12}}
        assert [skip.path for skip in found.skipped] == ["a/none.png"]
        assert found.layout.labels == file and found.unnamed == 0
        file.write_text(table(root).replace("a/1.png,cat,\n", ""))
        assert "1 picture in the folder not named by the file of labels, and not used." in warnings(
            inspect_folder(root, size=8, labels=file)
        )


class TestStudies:
    @pytest.fixture
    def study(self, root, labels, tmp_path):
        """Opens the study of a CSV file's text."""

        def open_study(text: str) -> Study:
            data = open_folder(root, size=32, labels=labels(text))
            return Study.open(tmp_path / "study", data, backbone=BackboneSpec(0.35, 32, "random"))

        return open_study

    def test_the_same_labels_in_any_order_are_the_same_study(self, root, study):
        header, *rows = table(root).splitlines()
        first = study("\n".join([header, *rows]))
        again = study("\n".join(["Path;Label", *(";".join(row.split(",")[:2]) for row in rows[::-1])]))
        assert again.store.settings.created == first.store.settings.created
        assert set(again.store.notes.test_files()) <= {row.split(",")[0] for row in rows}

    def test_other_labels_are_refused(self, root, study):
        begin_trial(study(table(root)))
        with pytest.raises(StudyError, match="the images or their split have changed"):
            study(table(root).replace("a/1.png,cat", "a/1.png,dog"))

    def test_an_export_finds_the_images_again(self, root, study, labels):
        settings = study(table(root)).store.settings
        data = study_data(settings, None, None, lambda event: None)
        assert data.fingerprint == settings.data.fingerprint and settings.data.labels.endswith("labels.csv")
        labels(table(root).replace("a/1.png,cat", "a/1.png,dog"))
        with pytest.raises(StudyError, match="are others"):
            study_data(settings, None, None, lambda event: None)


class TestAsPeopleWriteThem:
    @pytest.mark.parametrize(
        "header", ["filename,class", "Image_ID,Breed", "id,target", "file_name,category", "Filename,Species", "image,label"]
    )
    def test_usual_names_of_columns(self, root, labels, header):
        assert placed(read_layout(root, labels(f"{header}\na/1.png,cat\n"))) == {"a/1.png": ("all", "cat")}

    def test_of_several_usual_names_the_first_counts(self, root, labels):
        text = "id,name,path,breed,label,set\n1,Rex,a/1.png,pug,dog,train\n2,Tom,a/2.png,manx,cat,dev\n"
        assert placed(read_layout(root, labels(text))) == {"a/1.png": ("train", "dog"), "a/2.png": ("test", "cat")}

    @pytest.mark.parametrize("separator", [";", "\t"])
    def test_whatever_separates(self, root, labels, separator):
        text = "image_id,breed\na/1,cat\n".replace(",", separator)
        assert placed(read_layout(root, labels(text))) == {"a/1.png": ("all", "cat")}

    def test_ids_without_a_suffix_and_backslashes(self, root, labels):
        layout = read_layout(root, labels("path,label\na\\1.png,cat\na\\2,cat\nb/1,dog\n"))
        assert placed(layout) == {"a/1.png": ("all", "cat"), "a/2.png": ("all", "cat"), "b/1.png": ("all", "dog")}

    def test_an_id_of_two_files_is_neither(self, root, labels):
        (root / "a" / "1.jpg").write_bytes((root / "a" / "1.png").read_bytes())
        layout = read_layout(root, labels("path,label\na/1,cat\nb/1,dog\n"))
        assert list(placed(layout)) == ["b/1.png"] and layout.skipped == (SkippedFile("a/1", "no such file"),)

    def test_a_row_without_label_or_path_is_skipped(self, root, labels):
        layout = read_layout(root, labels("path,label\na/1.png,cat\na/2.png\n, dog\n"))
        assert list(placed(layout)) == ["a/1.png"]
        assert layout.skipped == (SkippedFile("a/2.png", "no label in line 3"), SkippedFile("line 4", "no path in line 4"))
