import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import yaml

from exporter.config import Setting, describe_settings, load
from exporter.server.web_config import read_web_config
from exporter.server.web_config.schema import WebConfigSchema
from exporter.server.web_config.section import Section

PAGE = (Path(__file__).parents[2] / "docs" / "settings.md").read_text(encoding="utf-8")


def table_rows() -> list[str]:
    table = PAGE.partition("| Flag | Variable | Key | Default | Meaning |\n|---|---|---|---|---|\n")[2]
    return table.partition("\n\n")[0].splitlines()


def expected_row(setting: Setting) -> str:
    flags = [setting.flag] if setting.flag else []
    if setting.flag and setting.kind == "boolean":
        flags.append(setting.flag.replace("--", "--no-", 1))
    cells = (
        *(", ".join(f"`{name}`" for name in names) or "–" for names in (flags, setting.variables)),
        f"`{setting.key}`" if setting.key else "–",
        f"`{setting.default}`",
        setting.description,
    )
    return f"| {' | '.join(cells)} |"


def test_the_table_has_a_row_for_each_setting_and_no_other() -> None:
    assert table_rows() == [expected_row(setting) for setting in describe_settings()]


def test_the_page_names_no_variable_that_does_not_exist() -> None:
    known = {variable for setting in describe_settings() for variable in setting.variables}
    named = set(re.findall(r"\bLIVEPEER_[A-Z_]*[A-Z]\b", PAGE)) - {"LIVEPEER_EXPORTER"}
    assert named == known


@pytest.mark.parametrize("example", re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL))
def test_each_example_of_a_settings_file_is_valid(example: str, tmp_path: Path) -> None:
    path = tmp_path / "exporter.yaml"
    path.write_text(example, encoding="utf-8")
    settings = load({"config_file": str(path)}, {}).settings
    fields = {"accounts": "account_entries"}
    keys = {fields.get(key, key) for key in yaml.safe_load(example)}
    assert settings.model_fields_set == keys | {"config_file"}


def keys_of(section: type[Section], prefix: str = "") -> Iterator[str]:
    """The keys of a section of the web config file and of the sections in it."""
    for name, field in section.model_fields.items():
        key = f"{prefix}{field.alias or name}"
        yield key
        for inner in (field.annotation, *get_args(field.annotation)):
            if isinstance(inner, type) and issubclass(inner, Section):
                yield from keys_of(inner, f"{key}.")


def test_V14_the_table_of_the_web_config_file_has_a_row_for_each_key_and_no_other() -> None:
    table = PAGE.partition("| Key | Compared with exporter-toolkit |\n|---|---|\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([\w.-]+)` \| (?:same\b|differs because ).*\|$", table, re.MULTILINE)
    assert len(rows) == len(table.splitlines())
    assert sorted(rows) == sorted(keys_of(WebConfigSchema))


def test_V14_the_example_of_a_web_config_file_is_valid(tmp_path: Path) -> None:
    (example,) = re.findall(r"```yaml web\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "web.yml"
    path.write_text(example, encoding="utf-8")
    assert read_web_config(path).warnings == ()
