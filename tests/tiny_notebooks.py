"""Notebooks of a few lines, written for a test: what the runner does must not depend on what they say."""

import json
from pathlib import Path


def write_notebook(path: Path, *cells: str, parameters: str = "") -> Path:
    """A notebook of code cells at ``path``, the first tagged ``parameters`` where there are any."""
    sources = ([(parameters, ["parameters"])] if parameters else []) + [(cell, []) for cell in cells]
    written = [
        {
            "cell_type": "code",
            "id": f"c{n}",
            "metadata": {"tags": tags} if tags else {},
            "execution_count": None,
            "outputs": [],
            "source": source,
        }
        for n, (source, tags) in enumerate(sources)
    ]
    heading = {"cell_type": "markdown", "id": "top", "metadata": {}, "source": f"# Question of {path.stem}?"}
    whole = {
        "cells": [heading, *written],
        "metadata": {
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(whole), encoding="utf-8")
    return path


def closing(name: str) -> str:
    """The last cell of every notebook, without loading pandas."""
    return f'from perfmodel.runner import done\ndone("{name}")'
