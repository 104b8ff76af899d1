"""Sequence classifiers from a folder: real files, real loading, in tiny models made here."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from hauberk.errors import MissingExtraError, PolicyError
from hauberk.injection import InjectionPlugin
from hauberk.injection._reading import Channel
from hauberk.injection.detectors import Detector, OnnxDetector
from hauberk.injection.detectors._folder import TooLongError, read_folder
from hauberk.policy import InjectionPolicy

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "evil", "good", "morning")
LIMIT = 16
"""Tokens of a window."""


def config(folder: Path, **more: object) -> None:
    labels = {"0": "SAFE", "1": "INJECTION"}
    content = {"id2label": labels, "max_position_embeddings": LIMIT, **more}
    (folder / "config.json").write_text(json.dumps(content), "utf-8")


def tokenizer(folder: Path) -> None:
    tokenizers: Any = pytest.importorskip("tokenizers")
    words = {word: number for number, word in enumerate(WORDS)}
    made = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    made.save(str(folder / "tokenizer.json"))


def network(folder: Path) -> None:
    """A graph whose second logit is 10 * (number of the word `evil` that is not masked) - 5."""
    onnx: Any = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, kind = onnx.helper, onnx.TensorProto
    weights = [10.0 if word == "evil" else 0.0 for word in WORDS]
    constants = [
        helper.make_tensor("weights", kind.FLOAT, [len(WORDS)], weights),
        helper.make_tensor("axes", kind.INT64, [1], [1]),
        helper.make_tensor("bias", kind.FLOAT, [1, 2], [0.0, -5.0]),
        helper.make_tensor("spread", kind.FLOAT, [1, 2], [0.0, 1.0]),
    ]
    nodes = [
        helper.make_node("Gather", ["weights", "input_ids"], ["found"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=kind.FLOAT),
        helper.make_node("Mul", ["found", "mask"], ["kept"]),
        helper.make_node("ReduceSum", ["kept", "axes"], ["sum"], keepdims=1),
        helper.make_node("Mul", ["sum", "spread"], ["spreaded"]),
        helper.make_node("Add", ["spreaded", "bias"], ["logits"]),
    ]
    inputs = [
        helper.make_tensor_value_info(name, kind.INT64, ["batch", "size"])
        for name in ("input_ids", "attention_mask")
    ]
    outputs = [helper.make_tensor_value_info("logits", kind.FLOAT, ["batch", 2])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    config(tmp_path)
    tokenizer(tmp_path)
    network(tmp_path)
    return tmp_path


def test_an_onnx_model_scores_texts(folder: Path) -> None:
    detector = OnnxDetector(str(folder), name="tiny")
    good, evil, none = detector.score(["good morning", "evil", ""], Channel.USER)
    assert isinstance(detector, Detector)
    assert good < 0.1
    assert evil > 0.9
    assert none < 0.1


@pytest.mark.parametrize("place", [0, 7, 13, 30, 99, 199])
def test_every_window_of_a_long_text_is_read(folder: Path, place: int) -> None:
    words = ["good"] * 200
    words[place] = "evil"
    assert OnnxDetector(str(folder)).score([" ".join(words)], Channel.DATA)[0] > 0.9


def test_a_text_of_too_many_windows_is_a_failure_not_half_read(folder: Path) -> None:
    with pytest.raises(TooLongError):
        OnnxDetector(str(folder)).score(["good " * 20_000], Channel.DATA)


def test_a_policy_names_a_model(folder: Path) -> None:
    policy = InjectionPolicy.model_validate(
        {"classifier": False, "detectors": [{"use": "onnx", "path": str(folder)}]}
    )
    from hauberk.events import Event, Segment, Stage
    from hauberk.session import Session

    plugin = InjectionPlugin(policy)
    segment = Segment.from_tool("t", "good evil morning")
    decision = plugin.inspect(Event(stage=Stage.PROMPT, segments=(segment,), session=Session()))
    assert [f.rule for f in decision.findings] == [f"inj.detector.{folder.name}"]


def test_labels_that_say_nothing_must_be_named(folder: Path) -> None:
    config(folder, id2label={"0": "A", "1": "B"})
    with pytest.raises(PolicyError, match="attack_labels"):
        OnnxDetector(str(folder))
    good, evil = (
        OnnxDetector(str(folder), attack_labels=[n]).score(["evil"], Channel.USER)[0] for n in "AB"
    )
    assert good < 0.1
    assert evil > 0.9


@pytest.mark.parametrize("missing", ["model.onnx", "tokenizer.json", "config.json"])
def test_a_folder_that_is_not_whole_is_a_policy_error(folder: Path, missing: str) -> None:
    (folder / missing).unlink()
    with pytest.raises(PolicyError):
        OnnxDetector(str(folder))
    (folder / missing).write_bytes(b"\x00broken")
    with pytest.raises(PolicyError):
        OnnxDetector(str(folder))


def test_prompt_guards_labels_are_known(tmp_path: Path) -> None:
    config(tmp_path, id2label=None)
    assert read_folder(str(tmp_path), []).attacks == (1,)


def test_transformers_models_are_read(tmp_path: Path) -> None:
    torch: Any = pytest.importorskip("torch")
    transformers: Any = pytest.importorskip("transformers")
    from hauberk.injection.detectors import TransformersDetector

    tokenizer(tmp_path)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(tmp_path / "tokenizer.json"),
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
    )
    fast.save_pretrained(tmp_path)
    made = transformers.BertConfig(
        vocab_size=len(WORDS), hidden_size=8, num_hidden_layers=1, num_attention_heads=1,
        intermediate_size=8, max_position_embeddings=LIMIT,
        id2label={0: "SAFE", 1: "INJECTION"}, label2id={"SAFE": 0, "INJECTION": 1},
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.BertForSequenceClassification(made).save_pretrained(tmp_path)
    detector = TransformersDetector(str(tmp_path), name="tiny")
    short, long = detector.score(["good morning", "evil " * 200], Channel.DATA)
    assert 0 <= short <= 1
    assert 0 <= long <= 1
    # The worst window: as bad as any of its kind alone.
    assert long >= detector.score(["evil " * (LIMIT - 2)], Channel.DATA)[0] - 1e-6


def test_what_is_not_installed_is_said_with_the_line_that_installs_it(tmp_path: Path) -> None:
    try:
        import_module("onnxruntime")
    except ImportError:
        config(tmp_path)
        with pytest.raises(MissingExtraError, match="models"):
            OnnxDetector(str(tmp_path))
    else:
        pytest.skip("onnxruntime is installed")
