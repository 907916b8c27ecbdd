import json
import subprocess
import sys
from datetime import datetime

PROGRAM = """
import structlog
from proa.telemetry import configure_logging
configure_logging()
logger = structlog.get_logger()
logger.debug("whispered")
logger.info("injected", pod="web", reason="namespace-label")
try:
    1 / 0
except ZeroDivisionError:
    logger.exception("failed")
"""


def test_logs_are_one_json_line_an_event_on_standard_error() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    injected, failed = map(json.loads, done.stderr.splitlines())
    assert done.stdout == ""
    assert datetime.fromisoformat(injected.pop("timestamp")).tzinfo is not None
    assert injected == {"event": "injected", "level": "info", "pod": "web", "reason": "namespace-label"}
    assert (failed["level"], failed["event"]) == ("error", "failed")
    assert "ZeroDivisionError" in failed["exception"]
