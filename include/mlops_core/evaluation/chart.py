"""The calibration chart, drawn as a small SVG: numbers only, so nothing in it needs escaping."""

from collections.abc import Sequence

from mlops_core.evaluation.report import CalibrationBin

_SIZE = 320
_MARGIN = 44


def calibration_chart(bins: Sequence[CalibrationBin]) -> bytes:
    """Draw observed against predicted means, a circle a bin, its area growing with the bin's rows.

    Points on the diagonal mean what they say; below it the model promises too much, above it too little.
    """
    values = [value for level in bins for value in (level.predicted, level.observed)]
    low, high = min(values), max(values)
    if low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    span = (high - low) or 1.0
    most = max(level.rows for level in bins)

    def across(value: float) -> float:
        return _MARGIN + (value - low) / span * (_SIZE - 2 * _MARGIN)

    def up(value: float) -> float:
        return _SIZE - across(value)

    circles = "".join(
        f'<circle cx="{across(level.predicted):.1f}" cy="{up(level.observed):.1f}"'
        f' r="{3 + 7 * (level.rows / most) ** 0.5:.1f}" fill="#3b76d6" fill-opacity="0.75"/>'
        for level in bins
    )
    start, end = _MARGIN, _SIZE - _MARGIN
    labels = "".join(
        f'<text x="{across(value):.1f}" y="{end + 16}" text-anchor="middle">{value:.3g}</text>'
        f'<text x="{start - 6}" y="{up(value) + 4:.1f}" text-anchor="end">{value:.3g}</text>'
        for value in (low, low + span / 2, low + span)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {_SIZE}" width="{_SIZE}"'
        f' height="{_SIZE}" font-family="system-ui, sans-serif" font-size="11" fill="#7a8699">'
        f'<path d="M{start} {start}V{end}H{end}" fill="none" stroke="#7a8699"/>'
        f'<path d="M{start} {end}L{end} {start}" stroke="#7a8699" stroke-dasharray="4 4"/>'
        f"{circles}{labels}"
        f'<text x="{_SIZE / 2}" y="{_SIZE - 8}" text-anchor="middle">predicted</text>'
        f'<text x="12" y="{_SIZE / 2}" text-anchor="middle"'
        f' transform="rotate(-90 12 {_SIZE / 2})">observed</text>'
        "</svg>"
    ).encode()
