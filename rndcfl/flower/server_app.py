"""The server on Flower: a :class:`~rndcfl.protocol.coordinator.Coordinator` with Flower's post."""

from __future__ import annotations

import time
from pathlib import Path

from filelock import FileLock, Timeout
from flwr.app import Context
from flwr.serverapp import Grid, ServerApp

from rndcfl.common.errors import InputError
from rndcfl.flower.post import FlowerPost
from rndcfl.protocol.config import Config
from rndcfl.protocol.coordinator import Coordinator

ENDING = 30  # seconds that the server of a SuperLink that was killed may take to end
app = ServerApp()
__all__ = ["app"]


@app.main()
def main(grid: Grid, context: Context) -> None:
    """Run the rounds that are not done yet; results and checkpoint go to the output folder."""
    config = Config.from_table(context.run_config)
    folder = Path(config.output).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    def log(line: str) -> None:
        text = f"{time.monotonic() - started:7.1f} s  {line}"
        print(text, flush=True)
        with (folder / "log.txt").open("a", encoding="utf-8") as file:
            file.write(text + "\n")

    try:
        with FileLock(folder / ".lock", timeout=ENDING):  # released by the system, however it ends
            Coordinator(FlowerPost(grid, log), config, folder, log).run()
    except Timeout:
        raise InputError(f"another run is working in {folder}; give another output") from None
    except Exception as problem:
        log(f"stopped: {problem}")
        raise
