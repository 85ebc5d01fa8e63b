"""The same protocol among real sites, on Flower: ``pip install 'rndcfl[flower]'``.

``client_app`` and ``server_app`` are what Flower runs; the folder that :func:`app_folder` names is
what ``flwr run`` is given.
"""

from pathlib import Path


def app_folder() -> Path:
    """The Flower app: ``flower-app/`` of a checkout, or the copy that was installed."""
    for folder in Path(__file__).parents[1:3]:
        if (folder / "flower-app" / "pyproject.toml").is_file():
            return folder / "flower-app"
    raise FileNotFoundError("flower-app/ is neither in the checkout nor in the installed package")
