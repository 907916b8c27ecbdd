"""Build Proa's own image and import it into the cluster that `up.py` started; again after every change. Shell.

`load.py VERSION` does so with an image that is Proa's but for its version, as `proa:VERSION`.
"""

import sys

from launcher import machine, node
from launcher.packing import import_archive, import_image, own_images
from launcher.product import next_archive, product_archive
from launcher.progress import Progress, alone, status
from proa.errors import Invalid
from proa.mesh import MeshConfiguration


def load(progress: Progress) -> str:
    name = MeshConfiguration().init.image
    machine.require_root()
    machine.check_image_tools()
    with alone():
        progress.tell(f"building {name} (some minutes where nothing is cached)")
        archive = product_archive(name)
        for version in sys.argv[1:]:
            name = f"{name.rpartition(':')[0]}:{version}"
            archive = next_archive(name, version, archive)
        if node.first_process() is None:
            raise Invalid("the cluster", "none that is up", f"one to import {archive} into (`make cluster`)")
        for image in own_images():
            import_image(image)
        news = import_archive(name, archive)
    return f"pods can run {name}{'' if news else ', as before'}"


if __name__ == "__main__":
    sys.exit(status(load))
