"""Paths of the data files that ship with the package."""

from pathlib import Path

from faceswap.errors import AssetError

_FOLDERS = (
    Path(__file__).parent / "assets",  # an installed wheel
    Path(__file__).parent.parent / "assets",  # a checkout
)


def asset_path(name: str) -> Path:
    """Path of the shipped asset ``name``, such as ``"landmarker.safetensors"``.

    Raises AssetError when it is missing.
    """
    for folder in _FOLDERS:
        path = folder / name
        if path.is_file():
            return path
    raise AssetError(
        f"The file {name}, part of faceswap, is missing; install faceswap again "
        "(pip install --force-reinstall faceswap), or in a checkout: git checkout assets."
    )
