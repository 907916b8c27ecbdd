"""What the README and the reference tables say is what the code does."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import yaml

from cli.install import install
from proa.mesh import MeshConfiguration, mesh_configuration

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_readmes_configuration_is_every_field_with_its_default() -> None:
    (document,) = re.findall(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert mesh_configuration(document) == MeshConfiguration()
    written = yaml.safe_load(document)
    assert written == msgspec.json.decode(msgspec.json.encode(MeshConfiguration())), "a field is missing"


def test_every_make_target_of_the_readme_exists() -> None:
    targets = set(re.findall(r"make (\w+)", README))
    assert targets >= {"demo", "test", "bench"}
    for target in targets:
        done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=False)
        assert done.returncode == 0, target


def test_every_command_of_the_readme_is_one_of_the_programs() -> None:
    program = Path(sys.executable).with_name("proa")
    for line in re.findall(r"^\.venv/bin/proa (.*)$", README, re.MULTILINE):
        command = [word for word in line.split(" -- ")[0].split() if word.isalpha()][:2]
        subcommand = (
            command[:2] if command[0] == "demo" and len(command) > 1 and command[1] != "client" else command[:1]
        )
        shown = subprocess.run([program, *subcommand, "--help"], capture_output=True, text=True, check=True)
        assert "Usage: proa" in shown.stdout


def test_every_link_of_the_documents_leads_somewhere() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for link in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / link).exists(), f"{document.name}: {link}"


def test_every_file_the_threat_model_points_to_exists() -> None:
    table = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:tests|ca|proxy|webhook)/[\w/.]*)`", table)
    assert len(named) > 10
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_image_holds_every_package_of_the_distribution() -> None:
    packages = re.findall(r"^packages = \[(.*)\]$", (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    named = re.findall(r'"(\w+)"', packages[0])
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert [name for name in named if f"COPY {name} {name}" not in dockerfile or f"!{name}" not in ignored] == []


def test_the_documents_name_the_images_that_are_installed() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        named = set(
            re.findall(r"(?:proa|docker\.io/envoyproxy/envoy):v?\d[\w.]*\w", document.read_text(encoding="utf-8"))
        )
        assert named <= {MeshConfiguration().init.image, MeshConfiguration().proxy.image}, document.name


def test_every_option_of_an_installation_stands_in_its_document() -> None:
    document = (ROOT / "docs" / "installing.md").read_text(encoding="utf-8")
    told = [[option for option in each.opts if f"`{option}" in document] for each in install.params]
    assert [each.opts for each, found in zip(install.params, told, strict=True) if not found] == []


def test_the_versions_of_the_package_and_of_the_default_image_agree() -> None:
    (version,) = re.findall(r'^version = "(.*)"$', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE)
    assert MeshConfiguration().init.image == f"proa:{version}"
