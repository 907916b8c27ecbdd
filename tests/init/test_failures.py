"""What nft complains of is answered with what to do about it."""

import pytest

from init.failures import (
    KernelRefused,
    NatMissing,
    NotPermitted,
    XtablesMissing,
    differing_table,
    iptables_failure,
    nft_failure,
    replacement_failure,
)

NO_MODULE = (
    "/dev/stdin:13:8-14: Error: Could not process rule: No such file or directory\n\tchain inbound {\n\t      ^^^^^^^\n"
)


@pytest.mark.parametrize(
    ("complaint", "kind"),
    [
        ("/dev/stdin:1:1-1: Error: Could not process rule: Operation not permitted\n", NotPermitted),
        ("Operation not permitted (you must be root)\n", NotPermitted),
        (NO_MODULE, NatMissing),
        ("netlink: Error: cache initialization failed: Protocol not supported\n", NatMissing),
        ("/dev/stdin:9:1-1: Error: Could not process rule: Operation not supported\n", NatMissing),
        ("/dev/stdin:3:1-9: Error: Could not process rule: Cannot allocate memory\n", KernelRefused),
        ("", KernelRefused),
    ],
)
def test_a_complaint_is_known_by_its_reason(complaint: str, kind: type[KernelRefused]) -> None:
    failure = nft_failure(complaint)
    assert type(failure) is kind
    assert failure.remedy in str(failure)


def test_the_line_that_tells_is_kept_and_the_carets_are_not() -> None:
    assert nft_failure(NO_MODULE).found == NO_MODULE.splitlines()[0]
    assert nft_failure("").found == "nft failed silently"


def test_codes_are_stable() -> None:
    kinds = {kind.__name__: kind.code for kind in (KernelRefused, *KernelRefused.__subclasses__())}
    assert kinds == {
        "KernelRefused": "kernel_refused",
        "ProgramMissing": "program_missing",
        "NotPermitted": "not_permitted",
        "NatMissing": "nat_missing",
        "XtablesMissing": "xtables_missing",
        "TableDiffers": "table_differs",
        "NotProvable": "not_provable",
        "NotProved": "not_proved",
        "NotTraced": "not_traced",
        "TraceDiffers": "trace_differs",
        "NotProgrammed": "not_programmed",
        "NothingToShow": "nothing_to_show",
    }


def test_every_difference_is_shown() -> None:
    shown = str(differing_table(("chain proxy: missing", "chain other: not ours")))
    assert "chain proxy: missing" in shown
    assert "chain other: not ours" in shown


@pytest.mark.parametrize(
    ("complaint", "kind"),
    [
        ("iptables-restore v1.8.9 (legacy): iptables-restore: unable to initialize table 'nat'\n", XtablesMissing),
        ("iptables v1.8.9 (legacy): can't initialize iptables table `nat': Table does not exist\n", XtablesMissing),
        (
            "iptables-restore v1.8.9 (nf_tables): \nline 3: CHAIN_ADD failed (No such file or directory)\n",
            XtablesMissing,
        ),
        ("Fatal: can't open lock file /run/xtables.lock: Permission denied\n", NotPermitted),
        (
            "iptables-restore v1.8.9 (nf_tables): Could not fetch: Permission denied (you must be root)\n",
            NotPermitted,
        ),
        ("something else\n", KernelRefused),
        ("", KernelRefused),
    ],
)
def test_a_complaint_of_iptables_is_known_by_its_reason(complaint: str, kind: type[KernelRefused]) -> None:
    failure = iptables_failure(complaint)
    assert type(failure) is kind
    assert failure.found


def test_a_table_that_is_there_is_not_replaced_by_another_backends() -> None:
    assert not replacement_failure(NO_MODULE).may_work_otherwise
    assert type(replacement_failure("Operation not permitted")) is NotPermitted


def test_another_backend_is_tried_where_this_one_cannot_work_and_not_where_none_may() -> None:
    assert [kind.__name__ for kind in KernelRefused.__subclasses__() if kind.may_work_otherwise] == [
        "ProgramMissing",
        "NatMissing",
        "XtablesMissing",
    ]
