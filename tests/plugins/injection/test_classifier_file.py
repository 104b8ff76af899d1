"""What training writes is what the classifier reads."""

from __future__ import annotations

import numpy as np

from hauberk.injection.classifier import Channel
from hauberk.injection.classifier._concepts import compiled
from hauberk.injection.classifier._features import features_of
from hauberk.injection.classifier._file import packed, unpacked
from hauberk.injection.classifier._model import Classifier, Model, empty_table

LEXICON = compiled({"drop": ["ignore"]})
WORDS = {Channel.USER: "alpha", Channel.DATA: "beta"}


def model(word: str) -> Model:
    table = empty_table()
    buckets = features_of(word, LEXICON).buckets
    table[np.unique(buckets[buckets < len(table) - 1])] = 1000
    return Model(
        table=table, scale=0.01, concept_scale=0.01, bias=-1.0, window=4, least=1,
        anchors=(-1.0, 0.0, 1.0, 5.0),
    )  # fmt: skip


MODELS = {channel: model(word) for channel, word in WORDS.items()}


def test_each_channel_gets_its_own_weights_back_in_whatever_order_they_were_given() -> None:
    original = Classifier(LEXICON, MODELS)
    for models in (MODELS, dict(reversed(MODELS.items()))):
        again = unpacked(packed(LEXICON, models))
        for channel in Channel:
            for word in WORDS.values():
                assert again.read(word, channel) == original.read(word, channel)
            assert again.read(WORDS[channel], channel).score > 0.9
    assert packed(LEXICON, MODELS) == packed(LEXICON, dict(reversed(MODELS.items())))
