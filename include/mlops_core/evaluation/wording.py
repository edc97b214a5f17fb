"""Numbers as people read them, in gates' reasons and on the page."""


def number(value: float, *, sign: str = "") -> str:
    """Round to four decimals below 1, else to four significant digits, else to a whole number.

    Parameters
    ----------
    value
        Finite.
    sign
        ``"+"`` shows the sign of positive numbers too.
    """
    if value == 0:
        return "0"
    size = abs(value)
    if size < 0.0005:
        return f"{value:{sign}.2g}"
    if size >= 10_000:
        return f"{value:{sign},.0f}"
    return f"{value:{sign}.4f}" if size < 1 else f"{value:{sign}.4g}"


def number_beside(value: float, bound: float, *, sign: str = "") -> str:
    """Round for reading, unless that would make the number look equal to the bound it differs from."""
    rounded = number(value, sign=sign)
    return f"{value:{sign}}" if float(rounded.replace(",", "")) == bound != value else rounded


def percent(confidence: float) -> str:
    """Write a confidence with two digits of its doubt, for example ``98.3 %`` or ``99.84 %``."""
    doubt = float(f"{(1 - confidence) * 100:.2g}")
    return f"{100 - doubt:.10g} %"


def limits(lower: float, upper: float, *, sign: str = "") -> str:
    """Write an interval's limits, for example ``0.7520 to 0.7654``."""
    return f"{number(lower, sign=sign)} to {number(upper, sign=sign)}"
