"""Resource quantities, as Kubernetes counts."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proa.errors import Invalid, Refused
from proa.mesh import mesh_configuration
from proa.quantity import amount


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("2", "2"),
        ("500m", "0.5"),
        ("1.5", "1.5"),
        ("1k", "1000"),
        ("1Ki", "1024"),
        ("64Mi", "67108864"),
        ("1E", "1e18"),
    ],
)
def test_a_quantity_is_its_number_times_its_unit(quantity: str, number: str) -> None:
    assert amount(quantity) == Decimal(number)


@given(st.integers(0, 10**9), st.sampled_from(["m", "", "k", "M", "G"]))
def test_a_larger_unit_is_a_larger_amount(number: int, unit: str) -> None:
    larger = {"m": "", "": "k", "k": "M", "M": "G", "G": "T"}[unit]
    assert amount(f"{number}{unit}") * 1000 == amount(f"{number}{larger}")


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    try:
        assert amount(text) >= 0
    except Invalid as refused:
        assert refused.allowed.startswith("a number")  # noqa: PT017 - either outcome is right, no third one is


def test_a_request_above_its_limit_is_refused_by_name() -> None:
    with pytest.raises(
        Refused, match=r"proxy\.resources\.requests\.memory: found '1Gi', allowed: at most its limit, 512Mi"
    ):
        mesh_configuration("proxy: {resources: {requests: {memory: 1Gi}, limits: {memory: 512Mi}}}")
    assert mesh_configuration("proxy: {resources: {requests: {cpu: 1000m}, limits: {cpu: '1'}}}")
