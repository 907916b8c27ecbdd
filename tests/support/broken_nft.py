"""An nft that is fed other scripts than it was given."""

import shutil
from pathlib import Path
from typing import Self


class BrokenNft:
    """The real nft behind a filter on the scripts it is fed."""

    def __init__(self, directory: Path) -> None:
        self._program = directory / "nft"
        self.path = str(directory)

    def feeding_through(self, shell: str) -> Self:
        real = shutil.which("nft")
        script = (
            "#!/bin/sh\nunset LD_LIBRARY_PATH\n"
            f'case "$1" in\n-f) {shell} | exec {real} -f - ;;\n*) exec {real} "$@" ;;\nesac\n'
        )
        self._program.write_text(script, encoding="utf-8")
        self._program.chmod(0o755)
        return self
