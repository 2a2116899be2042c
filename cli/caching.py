"""The commands about what is kept between runs."""

from __future__ import annotations

import typer

from .options import CacheDir

_OTHERS = ("profiles", "networks", "demo", "weights")
"""Folders of what is small."""


def info(cache_dir: CacheDir = None) -> None:
    """Say where the cache is, how large, and how large it may become."""
    from ..search.activations.eviction import default_limit
    from ..search.machine.paths import cache_root, folder_bytes

    root = cache_root(cache_dir)
    for name in ("images", "activations", *_OTHERS):
        typer.echo(f"{name:12} {folder_bytes(root / name) / 1e6:10,.1f} MB  {root / name}")
    limit = default_limit(root / "activations")
    typer.echo(
        f"Activations may take {limit / 1e9:,.1f} GB (half of what the disk could give; --cache-limit of a run sets another)."
    )


def clear(cache_dir: CacheDir = None) -> None:
    """Delete what can be computed again and is not in use. Studies are not touched."""
    import shutil

    from ..search.activations.eviction import clear
    from ..search.machine.paths import cache_root, folder_bytes

    root = cache_root(cache_dir)
    freed, held = clear(root / "activations")
    if not held:
        # A search reads its images for as long as it runs.
        for name in ("images", *_OTHERS):
            freed += folder_bytes(root / name)
            shutil.rmtree(root / name, ignore_errors=True)
    typer.echo(f"freed {freed / 1e6:,.1f} MB in {root}")
    if held:
        typer.echo(f"kept {held / 1e6:,.1f} MB of activations, and the images: a search is using them")
