"""A slider of a notebook, moved in a real JupyterLab in a real browser."""

import os
import re
import secrets
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import psutil
import pytest
from browser import chromium

from rndcfl import paths

WAIT = 90_000  # milliseconds
PARAMETERS = dict(setting='"pattern"', n_clients="6", n_groups="2", seeds="[0]")


def cut_down(path):
    """Notebook 02 with few clients: parameters, imports and the picture to play with."""
    notebook = nbformat.read(paths.notebooks()["02_discovery"], as_version=4)
    wanted = ("02-01", "02-02", "02-w1")
    notebook.cells = [cell for cell in notebook.cells if cell.id in wanted]
    assert len(notebook.cells) == len(wanted)
    for name, value in PARAMETERS.items():
        source = notebook.cells[0].source
        notebook.cells[0].source = re.sub(rf"(?m)^{name} = .*$", f"{name} = {value}", source)
    nbformat.write(notebook, path)


@pytest.fixture
def lab(tmp_path):
    """Address of a JupyterLab whose folder holds the notebook; it and its kernels end with it."""
    cut_down(tmp_path / "play.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = secrets.token_hex(16)
    own = {f"JUPYTER{part}_DIR": str(tmp_path / ".jupyter") for part in
           ("_CONFIG", "_RUNTIME", "LAB_SETTINGS", "LAB_WORKSPACES")}  # fmt: skip
    env = {k: v for k, v in os.environ.items() if not k.startswith("RNDCFL_")} | own
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1",
         f"--port={port}", "--port-retries=0", f"--IdentityProvider.token={token}",
         f"--ServerApp.root_dir={tmp_path}", "--LabApp.extension_manager=readonly",
         "--LabApp.check_for_updates_class=jupyterlab.handlers.announcements.NeverCheckForUpdate",
         "--LabApp.news_url=None"],
        env={**env, "PYTHONPATH": str(paths.root())}, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        address = f"http://127.0.0.1:{port}"
        answers(server, f"{address}/api/status?token={token}")
        yield f"{address}/lab/tree/play.ipynb?token={token}"
    finally:
        family = [psutil.Process(server.pid), *psutil.Process(server.pid).children(recursive=True)]
        server.terminate()
        psutil.wait_procs(family, timeout=20)
        for process in family:
            if process.is_running():
                process.kill()


def answers(server, address):
    """Wait until the server answers."""
    end = time.monotonic() + WAIT / 1000
    while time.monotonic() < end:
        assert server.poll() is None, "JupyterLab has ended"
        try:
            urllib.request.urlopen(address, timeout=5).close()
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail("JupyterLab does not answer")


def test_a_slider_moved_in_jupyterlab_changes_the_figure(lab):
    with chromium() as browser:
        page = browser.new_page(viewport=dict(width=1280, height=1800))
        page.set_default_timeout(WAIT)
        page.goto(lab)
        page.locator("[data-status=idle]").first.wait_for()  # the kernel is there
        page.locator(".lm-MenuBar-itemLabel", has_text=re.compile(r"^Run$")).click()
        page.locator(".lm-Menu-itemLabel", has_text=re.compile(r"^Run All Cells$")).click()
        page.locator(".jp-OutputArea .jp-RenderedImage img").wait_for()  # the static figure

        handle = page.locator(".widget-slider .noUi-handle").first
        words = page.locator("p[role=status]")
        picture = page.locator("img.widget-image")
        handle.wait_for()
        assert picture.is_hidden()

        said, drawn = words.inner_text(), []
        for _ in range(2):
            handle.press("ArrowRight")
            page.wait_for_function(
                "before => document.querySelector('p[role=status]').innerText != before", arg=said
            )
            picture.wait_for(state="visible")
            page.wait_for_function(
                "before => { const i = document.querySelector('img.widget-image');"
                " return i.complete && i.naturalWidth > 600 && i.src != before; }",
                arg=drawn[-1] if drawn else "",
            )
            said = words.inner_text()
            drawn.append(picture.get_attribute("src"))
        assert re.match(r"Reading mutual, tolerance 0\.2: \d federations for 2 groups", said)
