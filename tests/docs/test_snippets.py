"""Every fence of the README, the docs and the rooms' READMEs works as it is written."""

import re
from pathlib import Path

import pytest
import yaml

from hauberk import load_policy

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    path
    for pattern in ("README.md", "docs/**/*.md", "plugins/**/README.md", "pii/**/README.md",
                    "integrations/**/README.md")
    for path in ROOT.glob(pattern)
)  # fmt: skip
FENCE = re.compile(r"^```(\w+)[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def fences(page: Path, language: str) -> list[str]:
    return [code for lang, code in FENCE.findall(page.read_text("utf-8")) if lang == language]


def _with(language: str) -> list[Path]:
    return [page for page in PAGES if fences(page, language)]


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


# LlamaIndex reads every attribute of an agent, pydantic's deprecated ones too.
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince20")
@pytest.mark.filterwarnings("ignore::pydantic.warnings.PydanticDeprecatedSince211")
@pytest.mark.parametrize("page", _with("python"), ids=_name)
def test_python_fences_of_a_page_run_in_order(
    page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    _write_policies(page, tmp_path)
    space: dict[str, object] = {"__name__": "__page__"}
    for code in fences(page, "python"):
        exec(compile(code, _name(page), "exec"), space)  # noqa: S102 - our own pages


@pytest.mark.parametrize("page", _with("yaml"), ids=_name)
def test_yaml_fences_of_a_page_are_policies(page: Path, tmp_path: Path) -> None:
    for code in fences(page, "yaml"):
        data = yaml.safe_load(code)
        file = tmp_path / "policy.yaml"
        file.write_text(code if "version" in data else f"version: 1\n{code}", "utf-8")
        load_policy(file)


def _write_policies(page: Path, folder: Path) -> None:
    """The first YAML fence of a page is the `policy.yaml` that its Python fences load."""
    for code in fences(page, "yaml")[:1]:
        (folder / "policy.yaml").write_text(code, "utf-8")


def test_readme_is_short_enough_to_be_read() -> None:
    assert len((ROOT / "README.md").read_text("utf-8").splitlines()) <= 150
