"""Which Proa this is. Pure."""

from importlib.metadata import version
from typing import Final

VERSION: Final = version("proa")
"""Of the distribution that is installed."""
