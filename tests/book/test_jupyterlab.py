"""A slider in a real JupyterLab, moved in a real browser."""

import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import time
from contextlib import contextmanager

import nbformat
import psutil
import pytest
from browser import chromium, executable

from rndcfl.book import paths
from rndcfl.book.run import parameters

NAME = "02_discovery"
PATIENCE = 120  # seconds, on a machine that has other things to do
SILENT = "@jupyterlab/apputils-extension/notification.jupyterlab-settings"
FOLDERS = {
    "IPYTHONDIR": "ipython",
    "JUPYTER_CONFIG_DIR": "config",
    "JUPYTER_DATA_DIR": "data",
    "JUPYTER_RUNTIME_DIR": "runtime",
    "JUPYTERLAB_SETTINGS_DIR": "settings",
    "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
}


def cut_down(copy):
    """Notebook 02 of the smallest profile: parameters, imports and what can be moved."""
    path = copy / "notebooks" / f"{NAME}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    values = parameters.parameters_for(NAME, "smoke", {})
    code[0].source = "\n".join(f"{name} = {value!r}" for name, value in values.items())
    movable = [cell for cell in code if "interactive" in cell.metadata.get("tags", [])]
    assert movable
    notebook.cells = code[:2] + movable
    nbformat.write(notebook, path)


@pytest.fixture
def copy(tmp_path):
    """A checkout in which the notebook may leave results."""
    executable()  # skips before anything is started
    ignored = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")
    for part in ("notebooks", "rndcfl"):
        shutil.copytree(paths.root() / part, tmp_path / "copy" / part, ignore=ignored)
    cut_down(tmp_path / "copy")
    return tmp_path / "copy"


@contextmanager
def jupyterlab(copy):
    """Address and token of a server on the notebooks of a copy; kernels and all end with it."""
    own = copy.parent / "jupyter"
    quiet = own / FOLDERS["JUPYTERLAB_SETTINGS_DIR"] / SILENT
    quiet.parent.mkdir(parents=True)
    quiet.write_text(json.dumps({"fetchNews": "false", "checkForUpdates": False}))
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RNDCFL_")}
    places = {variable: str(own / folder) for variable, folder in FOLDERS.items()}
    places |= {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}  # beside other tests
    token = secrets.token_hex(16)
    log = own / "log"
    with log.open("w") as file:
        server = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "jupyter",
                "lab",
                "--no-browser",
                "--ip=127.0.0.1",
                "--port=0",
                "--allow-root",
                f"--IdentityProvider.token={token}",
            ],
            cwd=copy / "notebooks",
            env={**clean, **places, "PYTHONPATH": str(copy)},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    started = [psutil.Process(server.pid)]
    try:
        yield address(server, own / "runtime", log), token
    finally:
        started += started[0].children(recursive=True)  # with the kernel
        server.terminate()
        _, left = psutil.wait_procs(started, timeout=30)
        for process in left:
            process.kill()
    assert len(started) > 1 and left == []


def address(server, runtime, log):
    """Where the server says that it listens."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and server.poll() is None:
        for file in runtime.glob("jpserver-*.json"):
            if file.stat().st_size:
                return json.loads(file.read_text())["url"]
        time.sleep(0.1)
    pytest.fail(f"JupyterLab did not start:\n{log.read_text()[-2000:]}")


def run_all_cells(page):
    """Run the notebook from the menu, as soon as it has a kernel."""
    # JupyterLab drops the command, and says nothing, while the notebook is not connected to its
    # kernel. The status bar knows; the circle beside the notebook says idle from the beginning.
    kernel = page.get_by_title(f"Change kernel for {NAME}.ipynb")
    wait_for_text(kernel, r"\| Idle$", "the notebook's kernel is not ready")
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
    prompt = page.locator(".jp-InputPrompt").first
    wait_for_text(prompt, r"\[[*\d]+\]", "Run All Cells did not run the first cell")


def wait_for_text(element, pattern, complaint):
    """Wait until an element's text matches; a failure shows the complaint and the text."""
    from playwright.sync_api import expect  # here: without playwright the test is skipped

    expect(element, complaint).to_have_text(re.compile(pattern), timeout=1000 * PATIENCE)


def test_a_slider_moved_by_keyboard_changes_picture_and_words(copy):
    with jupyterlab(copy) as (url, token), chromium() as browser:
        page = browser.new_page(viewport={"width": 1200, "height": 1200})
        page.set_default_timeout(1000 * PATIENCE)
        complaints = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if "setting state" in m.text else 0)
        page.goto(f"{url}lab/tree/{NAME}.ipynb?token={token}")
        run_all_cells(page)

        outputs = page.locator(".jp-OutputArea")
        slider, words = outputs.get_by_role("slider"), outputs.get_by_role("status")
        slider.wait_for()
        moved = outputs.locator("img.widget-image")
        assert outputs.locator(".jp-RenderedImage img").count() == 1
        assert not moved.is_visible()  # one picture on the screen, not two

        before, source = words.text_content(), moved.get_attribute("src")
        for _ in range(2):
            slider.press("ArrowRight")
            page.wait_for_function(
                """([said, source]) => {
                    const words = document.querySelector(".jp-OutputArea [role=status]");
                    const image = document.querySelector("img.widget-image");
                    return words.textContent != said && image.getAttribute("src") != source
                        && image.complete && image.naturalWidth > 500;
                }""",
                arg=[before, source],
            )
            assert moved.is_visible()
            before, source = words.text_content(), moved.get_attribute("src")
            assert moved.get_attribute("title") == before  # for screen readers
        assert complaints == []
