import dataclasses
from pathlib import Path

from tlsearch.reports.terminal.exported import ExportReport
from tlsearch.search.export.export import Export
from tlsearch.search.export.parity import OriginalParity, Parity

from ..factory import rendered

PARITY = Parity(
    images=2000,
    largest_difference=0.61,
    mean_difference=0.012,
    agreement=0.981,
    accuracy=0.9415,
    trained_accuracy=0.9475,
    megabytes=0.629,
    milliseconds=0.62,
    runtime="LiteRT 2.3.0",
    threads=2,
)
ABOUT = {
    "technique": "fine-tune",
    "format": "tflite",
    "quantize": "int8",
    "trained_on": "training images",
    "data": {"name": "cats_dogs"},
}


def test_what_was_written_and_what_it_is_worth():
    export = Export(path=Path("out/pets.tflite"), metadata=ABOUT, parity=PARITY, concern="")
    assert rendered(ExportReport(export, Path("out/MODEL_CARD.md")), width=100) == (
        """\
fine-tune → out/pets.tflite (tflite, int8)
  trained on     training images of cats_dogs
  accuracy       94.2% on 2,000 test images; the trained model 94.8%
  same class     98.1% of them get the class that the trained model gives
  probabilities  differ from the trained model's by 0.6 at most, 0.01 in the mean
  size           0.63 MB
  one image      0.6 ms, the median in LiteRT 2.3.0 with 2 threads on this machine
Beside it: pets.tflite.json (classes, settings, measurements), MODEL_CARD.md.
"""
    )


def test_a_model_that_resizes_was_tried_on_images_of_their_own_size():
    original = OriginalParity(images=40, largest_difference=0.021, agreement=0.975)
    parity = dataclasses.replace(PARITY, original=original)
    text = rendered(
        ExportReport(Export(path=Path("m.onnx"), metadata=ABOUT, parity=parity, concern=""), Path("C.md")), width=120
    )
    assert (
        "  original size  97.5% of 40 images get that class at their own size too; probabilities differ by 0.02 at most\n"
        in text
    )


def test_a_concern_is_said():
    export = Export(path=Path("pets.tflite"), metadata=ABOUT, parity=PARITY, concern="it is bad.")
    assert "\nLook twice: it is bad.\n" in rendered(ExportReport(export, Path("MODEL_CARD.md")))
