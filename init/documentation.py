"""docs/proa-init.md from the tables of settings and failures: what is read and what is written cannot differ. Pure.

Written by `python -m init.documentation > docs/proa-init.md`.
"""

import sys
from collections.abc import Iterator
from typing import Final

from init.failures import KernelRefused
from init.istio import FLAGS
from init.sources import PREFIX
from proa.capture.interception import Interception
from proa.capture.settings import SETTINGS

_HEAD: Final = """# proa-init

Made of the tables in the code by `python -m init.documentation > docs/proa-init.md`; do not edit it.

`proa-init` sends the connections of the network namespace it runs in through the proxy, in one step, reads back what
the kernel took, and says so. A second run with the same settings changes nothing; another one takes the former's place
without an instant between. Whatever is wrong with the settings is refused at once, each by its flag, and so is what
would mean nothing, such as a port that is included and excluded.

What a pod may say of them by its annotations stands in [annotations.md](annotations.md).

It takes `NET_ADMIN` and no other capability, also in a user namespace. `--prove` and `--trace` take `SETUID` and
`SETGID` as well, and `iptables-legacy` takes `NET_RAW`.

| flag | what it does |
|---|---|
| none | intercept |
| `--dry-run` | print what nft or iptables would be told |
| `--diff` | print what would change |
| `--verify` | fail if anything would change: rules, routes, the address on `lo` |
| `--prove` | before the proxy starts: open connections as the application and as it, fail if one goes astray |
| `--await SECONDS` | without a capability: wait until connections show that somebody else has intercepted |
| `--explain CONNECTION` | say which rules it meets: `to=10.96.0.10:80,uid=1000`; without a user, it arrives |
| `--trace CONNECTION` | the kernel's word on it: it is made, or waited for; fail if it met other rules of ours |
| `--remove` | leave no rule, no route, no address |
| `--output json` | one JSON object on one line |
| `--backend` | `nftables`, `iptables`, `iptables-legacy`, or `auto`: the first that works, and the reason is said |

Exit status 0: done. 1: the kernel refused, nothing was changed, and the message says what is missing; or connections
went astray, or met other rules. 2: the request makes no sense. 3: `--await` waited in vain.

Where the node programs the pod ([node-mode.md](node-mode.md)), `--await` holds it until it is done, as any user and
without a capability. It listens at the proxy's ports and dials as the user it is: as the proxy's, the pod itself; as
another, an address where nobody is. Each family that the pod has is tried until its connection arrives. All rules are
one table, which the kernel takes whole, so one connection shows that all of them are there.

## Settings
Exclusions win over inclusions. A variable stands for its flag where the flag is not given; `PROA_INIT_FILE` names a
file for what neither says, a line each: `exclude-outbound-ports=22`.

| flag | variable | what it takes | default | what it means |
|---|---|---|---|---|
"""
_ISTIO: Final = """
## Istio's names
`proa-init --istio …` takes what `istio-iptables` takes, by flags or by their variables (`ISTIO_SERVICE_CIDR`), with its
defaults and meanings, but for three things: exclusions hold beside a list of inbound ports, too; both address families
are captured; groups are numbers. Without a meaning, and let pass: dual-stack, reconcile, force-apply, restore-format,
iptables-probe-port, probe-timeout, logging. `ISTIO_META_DNS_CAPTURE` and `INVALID_DROP` are known as well.

| Istio's | short | variable |
|---|---|---|
"""
_FAILURES: Final = """
## What may be refused
| code | what to do |
|---|---|
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_settings()) + _ISTIO + "".join(_istio()) + _FAILURES + "".join(_failures())


def _settings() -> Iterator[str]:
    for flag, setting in SETTINGS.items():
        default = setting.spell(getattr(Interception, setting.field))
        variable = PREFIX + flag[2:].replace("-", "_").upper()
        yield f"| `{flag}` | `{variable}` | {setting.allowed} | {f'`{default}`' if default else 'none'} | "
        yield f"{setting.purpose} |\n"


def _istio() -> Iterator[str]:
    for name, known in FLAGS.items():
        variable = name.replace("-", "_").upper()
        yield f"| `--{name}` | {f'`-{known.short}`' if known.short else ''} | `{variable}` |\n"


def _failures() -> Iterator[str]:
    kinds: tuple[type[KernelRefused], ...] = (KernelRefused, *KernelRefused.__subclasses__())
    for kind in kinds:
        yield f"| `{kind.code}` | {kind.remedy} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
