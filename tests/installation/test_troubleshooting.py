from pathlib import Path

from installation.apply import Interrupted, NotApplicable
from installation.obstacles import OBSTACLES, remedy
from installation.postflight import POSTFLIGHT
from installation.preflight import PREFLIGHT
from installation.troubleshooting import troubleshooting
from kube.failures import AlreadyExists, ApiRefused, Unreachable

DOCUMENT = Path(__file__).parents[2] / "docs" / "troubleshooting.md"


def test_the_document_is_what_the_tables_of_checks_say() -> None:
    written = DOCUMENT.read_text(encoding="utf-8")
    assert written == troubleshooting(), (
        "write it: .venv/bin/python -m installation.troubleshooting > docs/troubleshooting.md"
    )


def test_every_message_has_one_entry() -> None:
    for entry in (*PREFLIGHT, *POSTFLIGHT, *OBSTACLES):
        assert troubleshooting().count(f"\n### `{entry.code}`\n") == 1


def test_every_failure_that_is_no_mistake_in_the_input_has_a_remedy() -> None:
    met = {Unreachable, NotApplicable, Interrupted, ApiRefused, *ApiRefused.__subclasses__()}
    # A command creates by server-side apply alone, which does not mind what is there already.
    for failure in met - {AlreadyExists}:
        assert remedy(failure.code), failure
    assert remedy("invalid") == ""
