from pathlib import Path

import msgspec

from installation.annotations import annotations
from proa.mesh import MeshConfiguration
from webhook.vocabulary import INTERCEPTING, OTHERS, QUANTITIES, SETTINGS
from webhook.wishes import PodSettings

DOCUMENT = Path(__file__).parents[2] / "docs" / "annotations.md"


def test_the_document_is_what_the_table_says() -> None:
    written = DOCUMENT.read_text(encoding="utf-8")
    assert written == annotations(), "write it: .venv/bin/python -m installation.annotations > docs/annotations.md"


def test_every_annotation_and_every_name_of_istios_stands_in_it() -> None:
    for setting in SETTINGS:
        assert f"`{setting.key}`" in annotations()
        assert f"`{setting.istio.partition(':')[0]}`" in annotations() or not setting.istio


def test_a_default_that_is_a_field_of_the_configuration_is_there() -> None:
    configuration = msgspec.json.decode(msgspec.json.encode(MeshConfiguration()))
    named = [setting.default for setting in SETTINGS if setting.default.startswith(("proxy.", "init."))]
    assert len(named) > (len(QUANTITIES) + len(OTHERS)) // 2
    for default in named:
        section, field, *_ = default.split(".")
        assert field in configuration[section]


def test_every_setting_has_a_place_in_the_value_that_is_read() -> None:
    known = PodSettings.__dataclass_fields__.keys()
    assert {setting.field for setting in OTHERS} <= known
    assert {"quantities", "intercepting"} <= known
    assert len(SETTINGS) == len(QUANTITIES) + len(OTHERS) + len(INTERCEPTING)
