"""No rule is wider than its reason, and each reason names a file that is there."""

import re
from pathlib import Path

from node.permissions import DELETING, PERMISSIONS

ROOT = Path(__file__).parents[2]
EVERY = (*PERMISSIONS, DELETING)


def test_every_rule_says_which_code_needs_it() -> None:
    for rule in EVERY:
        assert not {"*"} & {*rule.groups, *rule.resources, *rule.verbs}
        files = re.findall(r"(?:node|kube)/[\w/]+\.py", rule.why)
        assert files, rule
        assert [file for file in files if not (ROOT / file).exists()] == []


def test_nothing_of_a_pod_can_be_changed_and_none_removed_unless_it_is_wished() -> None:
    verbs = {verb for rule in PERMISSIONS if "pods" in rule.resources for verb in rule.verbs}
    assert verbs == {"get", "list", "watch"}
