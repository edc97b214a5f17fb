"""Print what the project asks for, with some extras: ``requirements.py EXTRA...``, beside pyproject.toml.

Images install what this prints, so that only a change of the requirements makes them install anew.
"""

import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
extras = project["optional-dependencies"]
asked = project["dependencies"] + [requirement for extra in sys.argv[1:] for requirement in extras[extra]]
sys.stdout.write("\n".join(asked) + "\n")
