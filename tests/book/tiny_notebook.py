"""A notebook with one parameter, n = 1, for checkouts that tests make."""

import nbformat


def write_notebook(path, *cells):
    cells = [
        nbformat.v4.new_code_cell(
            "n = 1  # type: int  a number", id="parameters", metadata={"tags": ["parameters"]}
        ),
        *(nbformat.v4.new_code_cell(cell, id=f"c{k}") for k, cell in enumerate(cells)),
    ]
    metadata = {
        "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
        "language_info": {"name": "python"},
    }
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), path)
