"""Which transfer-learning technique wins for this folder of images: frozen, fine-tune or full?"""

__version__ = "0.1.0"
