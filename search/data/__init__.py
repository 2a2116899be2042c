"""A user's images, in a folder or in memory, as a data set: found, checked, decoded, split."""

from .arrays import open_arrays
from .dataset import Dataset, open_folder
from .libraries import open_dataset

__all__ = ["Dataset", "open_arrays", "open_dataset", "open_folder"]
