"""Every file of `manifests/`. Pure."""

from typing import Final

from installation.render import kustomize
from installation.render.chart import templates
from installation.render.packaging import HELPERS, NOTES, chart_text
from installation.render.values import schema_text, values_text

_MADE: Final = "# Made by `python -m installation.render` from installation/: change that, not this file.\n"


def files() -> dict[str, str]:
    """The text of each by its path below `manifests/`."""
    found = {path: _MADE + content for path, content in kustomize.files().items()}
    found |= {f"chart/templates/{name}": _MADE + content for name, content in templates().items()}
    return found | {
        "chart/Chart.yaml": _MADE + chart_text(),
        "chart/values.yaml": _MADE + values_text(),
        "chart/values.schema.json": schema_text(),
        "chart/templates/_helpers.tpl": HELPERS,
        "chart/templates/NOTES.txt": NOTES,
    }
