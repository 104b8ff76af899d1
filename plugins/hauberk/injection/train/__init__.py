"""Training of the classifier: `python -m hauberk.injection.train --data DIR`.

Needs `pip install "hauberk[train]"` (SciPy); the classifier itself needs numpy only.
"""
