"""How a filter turns conditions into reasons."""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc


def first_reason(rows: int, conditions: Mapping[str, pa.Array]) -> pa.Array:
    """String array of `rows` reasons: of each row the first whose condition holds, else null.

    A condition is a boolean array of `rows` values; null counts as false.
    """
    if rows == 0:
        return pa.array([], pa.string())
    cases = pa.StructArray.from_arrays(
        [condition.fill_null(False) for condition in conditions.values()], names=list(conditions)
    )
    return pc.case_when(cases, *(pa.scalar(reason, pa.string()) for reason in conditions))
