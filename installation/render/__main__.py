"""`python -m installation.render`: write `manifests/` anew. Shell."""

from pathlib import Path

from installation.render.files import files

MANIFESTS = Path(__file__).parents[2] / "manifests"


def write(directory: Path) -> None:
    """Write every file below *directory*, and remove what none of them is."""
    found = {directory / path: content for path, content in files().items()}
    for old in sorted(directory.rglob("*"), reverse=True):
        if old.is_file() and old not in found:
            old.unlink()
        elif old.is_dir() and not any(old.iterdir()):
            old.rmdir()
    for path, content in found.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


if __name__ == "__main__":
    write(MANIFESTS)
