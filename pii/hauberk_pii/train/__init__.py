"""Training of the tagger that comes with this package: `python -m hauberk_pii.train --data FOLDER`.

Needs the extra `train`. The package itself never imports this.
"""
