"""Ingestion: documents are screened, and masked, before they are split, embedded and stored.

Rules:
* Words and metadata of every document are looked at. The application's own documents stay as they are.
* A refused document is left out and the rest goes on; the report says whose it was and why. A refusal
  that stops raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.documents import BaseDocumentTransformer, Document
from typing_extensions import override

from hauberk import Guard, Segment
from hauberk.ingest import IngestionReport, aingested, ingested
from hauberk_langchain._errors import hard_stops
from hauberk_langchain._results import DocumentCodec, document_id
from hauberk_langchain._run import session_of

_NAMES = ("source", "file_path", "file_name")
"""Where LangChain's loaders put the name of a file."""

_DOCUMENTS = DocumentCodec()


class HauberkDocumentTransformer(BaseDocumentTransformer):
    """Screens and masks documents on their way into a store. Put it before the splitter.

    Example:
        >>> from hauberk import Guard, Policy
        >>> screen = HauberkDocumentTransformer(Guard(Policy.unsafe_allow_all()))
        >>> [document.page_content for document in screen.transform_documents([Document("Paris")])]
        ['Paris']
        >>> screen.report.parts
        1
    """

    def __init__(self, guard: Guard) -> None:
        """Screen with `guard`."""
        self.guard = guard
        """What is asked."""
        self.report = IngestionReport()
        """What was seen, changed and left out so far, file by file. Prints as a table."""

    @override
    def transform_documents(self, documents: Sequence[Document], **kwargs: Any) -> list[Document]:
        """The documents that may go on, as they may go on.

        Raises:
            BlockedError: A refusal that stops the run.
        """
        with hard_stops, session_of(self.guard).active():
            return list(ingested(self.guard, documents, _OneDocument(), self.report))

    @override
    async def atransform_documents(
        self, documents: Sequence[Document], **kwargs: Any
    ) -> list[Document]:
        """The same, on an event loop.

        Raises:
            BlockedError: A refusal that stops the run.
        """
        with hard_stops, session_of(self.guard).active():
            return list(await aingested(self.guard, documents, _OneDocument(), self.report))


class _OneDocument:
    """How a document is read and written, and which file it is of."""

    def read(self, item: Document) -> tuple[Segment, ...]:
        """The texts of a document."""
        return _DOCUMENTS.read((item,))

    def write(self, item: Document, segments: tuple[Segment, ...]) -> Document:
        """A copy of the document with these texts; itself when they are the same."""
        return _DOCUMENTS.write((item,), segments)[0]

    def file(self, item: Document) -> str:
        """The name that a loader gave it, or its id."""
        names = (item.metadata.get(name) for name in _NAMES)
        found = next((name for name in names if isinstance(name, str) and name), None)
        return found or document_id(item, 0)
