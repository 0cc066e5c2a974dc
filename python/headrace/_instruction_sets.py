"""Which instruction sets the compiled backend can use."""

from __future__ import annotations


def instruction_sets() -> dict[str, str | None]:
    """Say which instruction sets the hot loops of the compiled backend can use here.

    The first call that the compiled backend decides takes the fastest available, for the life of
    the process; ``HEADRACE_ISA`` in the environment forces another. Answers are the same on all,
    to the last bit.

    Returns
    -------
    dict
        From the name of each instruction set, fastest first, to None where it is available, else
        to the reason why it is not. The last is ``"baseline"``, which is always available where
        the compiled backend is.

    Examples
    --------
    >>> import headrace as hr
    >>> list(hr.instruction_sets())[-1]
    'baseline'
    """
    from headrace._backends import cpp

    missing = cpp.available()
    return cpp.instruction_sets() if missing is None else {"baseline": missing}
