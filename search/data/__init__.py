"""A user's folder of images as a data set: scanned, checked, decoded, split."""

from .dataset import Dataset, open_folder

__all__ = ["Dataset", "open_folder"]
