"""For tests, the demo and the docs: contract suites, and model doubles that need no network.

* `PluginContract`, `BudgetStoreContract`, `AuditStoreContract`: subclass one in your test suite, give
  it your implementation, and pytest runs our promises against it. They need pytest.
* `ScriptedBrain` and `GullibleBrain`: what a model double answers. The model classes themselves are in
  `hauberk_langchain.testing` and `hauberk_llama_index.testing`.
"""
