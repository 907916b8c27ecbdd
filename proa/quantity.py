"""Kubernetes' resource quantities as numbers, so that two of them can be compared. Pure."""

import re
from decimal import Decimal
from typing import Final

from proa.errors import Invalid, shown

PATTERN: Final = r"^[0-9]{1,15}(\.[0-9]{1,9})?([mkMGTPE]|[KMGTPE]i)?\Z"
"""The decimal and binary suffixes of apimachinery's resource.Quantity, without its exponents; bounded as int64 is."""
_UNITS: Final = {
    "": Decimal(1),
    "m": Decimal("0.001"),
    **{unit: Decimal(1000) ** power for power, unit in enumerate("kMGTPE", start=1)},
    **{f"{unit}i": Decimal(1024) ** power for power, unit in enumerate("KMGTPE", start=1)},
}


def amount(quantity: str) -> Decimal:
    """What *quantity* stands for, in its own unit: `500m` is 0.5, `1Ki` 1024. Raises Invalid."""
    if not re.search(PATTERN, quantity):
        raise Invalid("quantity", shown(quantity), "a number with a suffix such as m, k, M, Ki or Mi, or none")
    number = quantity.rstrip("mkKMGTPEi")
    return Decimal(number) * _UNITS[quantity[len(number) :]]
