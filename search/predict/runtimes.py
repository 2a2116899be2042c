"""Each format in the runtime that people load it with, behind one method: images in, probabilities out.

No runtime needs code of tlsearch: these classes show all that it takes to run an export.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...spaces.errors import ModelError
from ...spaces.quiet import import_keras, quiet_native
from ..machine.devices import cores
from .formats import FORMATS, Format, check_installed
from .safety import check_keras_file


class Runtime(ABC):
    """A loaded model.

    Attributes:
        name: Of the runtime, with its version.
        properties: Text that the runtime found inside the model.
    """

    name: str
    properties: Mapping[str, str] = MappingProxyType({})

    @abstractmethod
    def predict(self, images: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities ``(n, classes)`` of images ``(n, size, size, 3)``, RGB from 0 to 255, uint8 or float.

        A model that resizes takes any height and width.
        """


class KerasRuntime(Runtime):
    """A ``.keras`` file, loaded in safe mode."""

    def __init__(self, path: Path) -> None:
        check_keras_file(path)
        import_keras()
        import keras

        self.name = f"Keras {keras.__version__}"
        self._model = keras.models.load_model(path, compile=False, safe_mode=True)

    def predict(self, images: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(self._model.predict_on_batch(images), np.float32)


class LiteRTRuntime(Runtime):
    """A ``.tflite`` file. It takes one image at a time."""

    def __init__(self, path: Path) -> None:
        with quiet_native():
            from ai_edge_litert.interpreter import Interpreter

            self._interpreter = Interpreter(model_path=str(path), num_threads=cores())
            self._interpreter.allocate_tensors()
        self.name = f"LiteRT {version('ai-edge-litert')}"
        (self._input,), (self._output,) = self._interpreter.get_input_details(), self._interpreter.get_output_details()
        self._shape = tuple(self._input["shape"])

    def predict(self, images: NDArray[Any]) -> NDArray[np.float32]:
        if self._input["dtype"] is np.uint8 and images.dtype != np.uint8:
            images = np.clip(np.rint(images), 0, 255)
        if (shape := (1, *images.shape[1:])) != self._shape:
            self._interpreter.resize_tensor_input(self._input["index"], shape)
            self._interpreter.allocate_tensors()
            self._shape = shape
        out = []
        for image in images.astype(self._input["dtype"], copy=False):
            self._interpreter.set_tensor(self._input["index"], image[None])
            self._interpreter.invoke()
            out.append(self._interpreter.get_tensor(self._output["index"])[0])
        return np.asarray(out, np.float32)


class OnnxRuntime(Runtime):
    """An ``.onnx`` file, on the CPU."""

    def __init__(self, path: Path) -> None:
        import onnxruntime

        self.name = f"ONNX Runtime {onnxruntime.__version__}"
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors
        options.intra_op_num_threads = cores()
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.properties = dict(self._session.get_modelmeta().custom_metadata_map)
        (self._input,) = self._session.get_inputs()

    def predict(self, images: NDArray[Any]) -> NDArray[np.float32]:
        (probabilities,) = self._session.run(None, {self._input.name: images.astype(np.float32, copy=False)})
        return np.asarray(probabilities, np.float32)


class SavedModelRuntime(Runtime):
    """A SavedModel. Like every program, one from a stranger should not be run."""

    def __init__(self, path: Path) -> None:
        import_keras()
        with quiet_native():
            import tensorflow

            # Held whole: its functions do not keep their variables alive.
            self._model = tensorflow.saved_model.load(str(path))
        self.name = f"TensorFlow {tensorflow.__version__}"

    def predict(self, images: NDArray[Any]) -> NDArray[np.float32]:
        return np.asarray(self._model.serve(images.astype(np.float32, copy=False)).numpy(), np.float32)


_RUNTIMES: MappingProxyType[Format, Callable[[Path], Runtime]] = MappingProxyType(
    {"keras": KerasRuntime, "tflite": LiteRTRuntime, "onnx": OnnxRuntime, "saved-model": SavedModelRuntime}
)


def open_runtime(path: Path, form: Format) -> Runtime:
    """Loads a model.

    Raises:
        ModelError: The file is damaged or something else, or holds code.
        OptionError: The format's runtime is not installed.
    """
    check_installed(form)
    try:
        return _RUNTIMES[form](path)
    except ModelError:
        raise
    except Exception as error:
        # Four libraries' parsers on bytes that may be anything: they promise no closed set of errors.
        first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise ModelError(f"{path} cannot be loaded by {FORMATS[form].runtime}: it is damaged or no model ({first}).") from error


def format_of(path: Path) -> Format:
    """The format of a model file, told from what is in it; of ONNX, whose files have no mark, from the name.

    Raises:
        ModelError: There is no such file, or it is no model.
    """
    if path.is_dir():
        if (path / "saved_model.pb").is_file():
            return "saved-model"
        raise ModelError(f"MODEL must be a model file or a SavedModel's folder, got the folder {path} without saved_model.pb.")
    try:
        with path.open("rb") as file:
            head = file.read(8)
    except OSError as error:
        raise ModelError(f"MODEL must be a file that can be read, got {path} ({error.strerror}).") from error
    if head[4:] == b"TFL3":
        return "tflite"
    if head.startswith(b"PK\x03\x04"):
        return "keras"
    if path.suffix.lower() == ".onnx" and head:
        return "onnx"
    suffixes = ", ".join(facts.suffix for facts in FORMATS.values() if facts.suffix)
    raise ModelError(f"MODEL must be an export of tlsearch ({suffixes} or a SavedModel's folder), got {path}, which is none.")
