"""The machine a figure was taken on: a number without it says nothing."""

import os
import platform
from pathlib import Path


def facts() -> dict[str, str | int]:
    """Processor, cores, kernel and Python, for the JSON line of a benchmark."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count() or 0,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
