"""How numbers, times and metrics are written on the page."""

import math
from datetime import UTC, datetime

NOTHING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"

NAMES = {
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "mape": "Mean absolute percentage error",
    "r2": "R²",
    "bias": f"Bias (predicted {MINUS} actual)",
    "accuracy": "Accuracy",
    "balanced_accuracy": "Balanced accuracy",
    "precision": "Precision",
    "recall": "Recall",
    "f1": "F1",
    "roc_auc": "ROC AUC",
    "log_loss": "Log loss",
    "brier": "Brier score",
}
PERCENT = {"mape", "accuracy", "balanced_accuracy", "precision", "recall", "f1"}

_DIGITS = 4
_LARGE = 10_000


def number(value: float | None, *, percent: bool = False) -> str:
    """Return a number with four significant digits; a dash for none."""
    if value is None or not math.isfinite(value):
        return NOTHING
    if percent:
        return f"{100 * value:.1f} %".replace("-", MINUS)
    if value == 0:
        return "0"
    if abs(value) >= _LARGE:
        return f"{value:,.0f}".replace("-", MINUS)
    decimals = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    return f"{value:.{min(decimals, 6)}f}".replace("-", MINUS)


def metric(name: str, value: float | None) -> str:
    """Return a metric's value as it is usually written."""
    return number(value, percent=name in PERCENT)


def change(before: float | None, after: float | None) -> str:
    """Return the relative change of a value, such as ``+12 %``; empty if there is none."""
    if before is None or after is None or not before or not math.isfinite(after / before):
        return ""
    return f"{100 * (after - before) / abs(before):+,.0f} %".replace("-", MINUS)


def moment(at: datetime | None) -> str:
    """Return a time to the minute, in UTC."""
    return NOTHING if at is None else f"{at.astimezone(UTC):%Y-%m-%d %H:%M}"


def clock(at: datetime) -> str:
    """Return a time of day in UTC, with the day unless that is today."""
    aware = at.astimezone(UTC)
    today = aware.date() == datetime.now(UTC).date()
    return f"{aware:%H:%M} UTC" if today else f"{moment(at)} UTC"


def count(n: int, one: str, many: str | None = None) -> str:
    """Return ``1 row``, ``6,552 rows``."""
    return f"{n:,} {one if n == 1 else many or one + 's'}"
