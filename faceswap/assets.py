"""Where the files that ship with the package are."""

from pathlib import Path

from faceswap.errors import AssetError

_PLACES = (
    Path(__file__).parent / "assets",  # an installed wheel
    Path(__file__).parent.parent / "assets",  # a checkout
)


def asset_path(name: str) -> Path:
    """Path of the shipped file ``name``, such as ``"landmarker.safetensors"``.

    Raises AssetError when it is missing.
    """
    for place in _PLACES:
        path = place / name
        if path.is_file():
            return path
    raise AssetError(
        f"The file {name} that ships with faceswap is missing; install faceswap again "
        "(pip install --force-reinstall faceswap), or in a checkout: git checkout assets."
    )
