"""The report that lies beside the weights: what they were made from, and what they find.

Rules:
* Recall and false alarms are of sources that were left out of the training that judged them.
* Sources are named with their licences as `SOURCES.md` beside the data states them.
* Nothing hangs on the day: the same training writes the same report.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from hauberk.decisions import Severity
from hauberk.injection._packs import load_pack
from hauberk.injection._rules import RulePack
from hauberk.injection._screen import screen
from hauberk.injection.classifier._model import ANCHORS
from hauberk.injection.train._corpus import DEPTH, WITHHELD, Corpus, Row
from hauberk.injection.train._validate import Judged

_COLUMNS = 7
"""Of a row of the table: source, attacks, benign, origin, way, licence, note."""


def sources_of(rows: Sequence[Row], page: Path) -> dict[str, dict[str, object]]:
    """Each source with its counts, and with origin and licence where the page states them."""
    licences = _table(page)
    counts = Counter((row.source, row.label) for row in rows)
    return {
        source: {
            "attacks": counts[source, 1],
            "benign": counts[source, 0],
            **licences.get(source, {"origin": "written for this project", "licence": "ours"}),
            **({"withheld": WITHHELD[source]} if source in WITHHELD else {}),
        }
        for source in sorted({row.source for row in rows})
    }


def findings_of(judged: Judged, anchors: Sequence[float]) -> dict[str, object]:
    """Recall and false alarms at each anchor, in all and per source."""
    benign = judged.labels == 0
    return {
        "benign": int(benign.sum()),
        "attacks": int((~benign).sum()),
        "auc": judged.auc(),
        "at": {
            f"score {score:g}": {
                "false_alarms": round(float(np.mean(judged.margins[benign] >= margin)), 5),
                "macro_recall": judged.macro(margin),
                "recall": judged.recall(margin),
                "false_alarms_by_source": {
                    source: share for source, share in judged.false_alarms(margin).items() if share
                },
            }
            for (_, score), margin in zip(ANCHORS, anchors, strict=True)
        },
    }


def findings_with_rules(judged: Judged, corpus: Corpus, margin: float) -> dict[str, object]:
    """Recall and false alarms of rules and classifier together.

    The rules are no part of the training: whoever wrote them had seen these sources.
    """
    pack = load_pack()
    told = np.array([_tells(corpus.rows[int(number)], pack) for number in judged.numbers])
    both = replace(judged, margins=np.where(told, np.inf, judged.margins))
    alone = replace(judged, margins=told.astype(np.float64))
    return {
        name: {
            "false_alarms": round(float(np.mean(one.margins[one.labels == 0] > limit)), 5),
            "macro_recall": one.macro(limit),
            "recall": one.recall(limit),
        }
        for name, one, limit in (("rules alone", alone, 0.0), ("together", both, margin))
    }


def _tells(row: Row, pack: RulePack) -> bool:
    kind = "user" if row.user else "document"
    return screen(row.text, kind, pack, max_depth=DEPTH).worst >= Severity.MEDIUM


def compared(judged: Judged, dev: Judged) -> Mapping[str, float]:
    """One line of the comparison of recipes."""
    margin = judged.margin_at(0.01)
    return {
        "left_out_recall_at_1%": judged.macro(margin),
        "left_out_auc": judged.auc(),
        "dev_recall_there": dev.macro(margin),
        "dev_false_alarms_there": round(float(np.mean(dev.margins[dev.labels == 0] > margin)), 4),
        "dev_recall_at_its_1%": dev.macro(dev.margin_at(0.01)),
        "dev_auc": dev.auc(),
    }


def _table(page: Path) -> dict[str, dict[str, str]]:
    if not page.exists():
        return {}
    rows = (
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    )
    return {row[0]: {"origin": row[3], "licence": row[5]} for row in rows if len(row) == _COLUMNS}
