"""A user's folder of images as a data set: scanned, checked, decoded, split. Images in memory as well."""

from .arrays import open_arrays
from .dataset import Dataset, open_folder
from .libraries import open_dataset

__all__ = ["Dataset", "open_arrays", "open_dataset", "open_folder"]
