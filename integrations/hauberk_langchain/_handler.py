"""The callback handler: a guard for the runs that it is attached to, and for no other.

Rules:
* It is a mark, not a rewriter: changing messages inside a callback would change the application's own
  objects. The framework's classes find it among the callbacks and put the guard at the seam.
* It raises: LangChain logs and forgets the errors of other handlers.
"""

from __future__ import annotations

from langchain_core.callbacks import BaseCallbackHandler

from hauberk import Guard
from hauberk_langchain._patch import teach


class HauberkCallbackHandler(BaseCallbackHandler):
    """Guards the runs whose callbacks it is among: `config={"callbacks": [handler]}` or a constructor.

    Screening, masking and restoring, capabilities, budgets and audit, in every mode, for the models,
    tools and retrievers that inherit the callbacks.

    It does not promise to see code that drops the callbacks: a thread of its own that calls a model
    without a config.

    Example:
        >>> from hauberk import Guard, Policy
        >>> from hauberk_langchain.testing import ScriptedChatModel
        >>> guard = Guard(Policy.unsafe_allow_all())
        >>> handler = HauberkCallbackHandler(guard)
        >>> ScriptedChatModel(replies=["ok"]).invoke("hi", {"callbacks": [handler]}).content
        'ok'
    """

    raise_error = True
    run_inline = True

    def __init__(self, guard: Guard) -> None:
        """Make a handler for a guard.

        Args:
            guard: What the runs must obey.
        """
        teach()
        self.hauberk_guard = guard

    # No event is handled: the seam sees what matters. Saying so costs LangChain nothing.
    @property
    def ignore_llm(self) -> bool:
        """True: no events wanted."""
        return True

    @property
    def ignore_chain(self) -> bool:
        """True: no events wanted."""
        return True

    @property
    def ignore_agent(self) -> bool:
        """True: no events wanted."""
        return True

    @property
    def ignore_retriever(self) -> bool:
        """True: no events wanted."""
        return True

    @property
    def ignore_chat_model(self) -> bool:
        """True: no events wanted."""
        return True

    @property
    def ignore_retry(self) -> bool:
        """True: no events wanted."""
        return True

    @property
    def ignore_custom_event(self) -> bool:
        """True: no events wanted."""
        return True
