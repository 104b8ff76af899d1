"""A small classifier that ships with hauberk: numpy only, no download."""

from hauberk.injection._reading import Channel, Reading
from hauberk.injection.classifier._file import ClassifierFileError, load_classifier
from hauberk.injection.classifier._model import Classifier

__all__ = ["Channel", "Classifier", "ClassifierFileError", "Reading", "load_classifier"]
