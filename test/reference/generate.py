"""Records what the tests compare with: every *.py beside this file writes its own *.json.gz. Needs PyTorch 1.13 (Debian:
python3-torch), baselines.py scikit-learn 1.2 (python3-sklearn); the tests themselves only read the recordings.

    /usr/bin/python3 test/reference/generate.py [part ...]
"""
import pathlib
import subprocess
import sys

folder = pathlib.Path(__file__).parent
parts = sys.argv[1:] or sorted(path.stem for path in folder.glob("*.py") if path != pathlib.Path(__file__))
for part in parts:
    print(part, flush=True)
    subprocess.run([sys.executable, str(folder / f"{part}.py")], check=True)
