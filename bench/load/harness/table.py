"""Cells and tables in Markdown."""


def number(value, digits):
    """`median [least–greatest]`; a single round has no spread."""
    if value is None:
        return ""
    middle, least, greatest = (f"{part:,.{digits}f}" for part in value)
    return middle if least == greatest else f"{middle} [{least}–{greatest}]"


def verdict(value, limit):
    """Whether the median keeps within its target."""
    if value is None:
        return ""
    return " ✓" if value[0] <= limit else " ✗ **missed**"


def table(title, head, rows, note=""):
    """A Markdown table; rows without a single figure are left out, and so is an empty table."""
    labels = sum(1 for name in head if not name or name in ("at", "µs", "requests/s")) or 1
    rows = [row for row in rows if any(cell and cell[0].isdigit() or cell.startswith("-")
                                       for cell in row[labels:])]
    if not rows:
        return None
    lines = [f"\n## {title}\n", line(head), line(["---"] * len(head))]
    return "\n".join(lines + [line(row) for row in rows] + ([f"\n{note}"] if note else []))


def line(cells):
    """One row."""
    return "| " + " | ".join(cells) + " |"
