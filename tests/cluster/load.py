"""Build Proa's own image and import it into the cluster that `up.py` started; again after every change. Shell."""

import subprocess
import sys

from launcher import machine, node
from launcher.packing import import_archive, import_image, own_images
from launcher.product import product_archive
from launcher.progress import Progress, alone
from proa.errors import ProaError
from proa.mesh import MeshConfiguration


def main() -> int:
    progress = Progress()
    name = MeshConfiguration().init.image
    try:
        machine.require_root()
        machine.check_image_tools()
        with alone():
            progress.tell(f"building {name} (some minutes where nothing is cached)")
            archive = product_archive(name)
            if node.first_process() is None:
                progress.tell(f"built {archive}; no cluster is up to import it into")
                return 1
            for image in own_images():
                import_image(image)
            news = import_archive(name, archive)
    except (ProaError, subprocess.CalledProcessError) as problem:
        progress.tell(f"failed: {problem}")
        return 1
    except KeyboardInterrupt:
        progress.tell("interrupted")
        return 130
    progress.tell(f"pods can run {name}{'' if news else ', as before'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
