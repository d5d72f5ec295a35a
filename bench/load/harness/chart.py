"""The chart for the README: CPU time per request, Envoy and Tandem side by side, as plain SVG."""

from html import escape

from .scenarios import SCENARIOS

COLOURS = {"envoy": "#9aa5b1", "tandem": "#0f766e"}
LEFT, BAR, GAP, PANEL, TOP = 130, 13, 16, 330, 76


def svg(results, facts):
    """Two panels, saturated and at a fixed rate; a bar a target."""
    shown = [s for s in SCENARIOS
             if any(results.median(s.name, t, "cpu_sat") is not None for t in COLOURS)]
    height = TOP + len(shown) * (2 * BAR + GAP) + 30
    width = LEFT + 2 * PANEL + 20
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="system-ui, sans-serif" font-size="12" role="img" '
        f'aria-label="CPU time per request, Tandem and Envoy">',
        f'<rect width="{width}" height="{height}" rx="6" fill="#ffffff"/>',
        text(16, 24, "CPU time per request, µs (less is better)", weight=600, size=15),
    ]
    x = 16
    for target, name in (("tandem", "Tandem"), ("envoy", f"Envoy {version(facts)}")):
        out.append(f'<rect x="{x}" y="36" width="11" height="11" fill="{COLOURS[target]}"/>')
        out.append(text(x + 16, 46, name))
        x += 90
    greatest = max([results.median(s.name, t, m) or 0 for s in shown for t in COLOURS
                    for m in ("cpu_sat", "cpu_fast")] or [0]) or 1
    for panel, (metric, title) in enumerate((("cpu_sat", "saturated"),
                                             ("cpu_fast", "at 12,000 requests/s"))):
        left = LEFT + panel * PANEL
        out.append(text(left, TOP - 12, title, fill="#52606d"))
        for row, scenario in enumerate(shown):
            y = TOP + row * (2 * BAR + GAP)
            if panel == 0:
                out.append(text(LEFT - 10, y + BAR + 4, scenario.title, anchor="end"))
            out += bars(results, scenario, metric, left, y, (PANEL - 120) / greatest)
    note = f"{facts['processor']}, one worker on one core; medians of {facts['rounds']} rounds"
    out.append(text(16, height - 12, note, fill="#52606d", size=11))
    return "\n".join([*out, "</svg>", ""])


def bars(results, scenario, metric, left, y, scale):
    """The pair of bars of one scenario, with the figures and the ratio."""
    ratio = results.ratio(scenario.name, metric)
    for target in ("tandem", "envoy"):
        value = results.median(scenario.name, target, metric)
        if value is not None:
            length = value * scale
            yield (f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" '
                   f'fill="{COLOURS[target]}"/>')
            label = f"{value:.1f}"
            if target == "tandem" and ratio:
                label += f"  ({ratio[0]:.2f} × Envoy)"
            yield text(left + length + 5, y + BAR - 2, label, size=11)
        y += BAR + 1


def version(facts):
    """Envoy's version, if it took part."""
    return facts["versions"].get("Envoy", "")


def text(x, y, content, fill="#1f2933", size=12, weight=400, anchor="start"):
    """A line of text."""
    return (f'<text x="{x:g}" y="{y:g}" fill="{fill}" font-size="{size}" font-weight="{weight}" '
            f'text-anchor="{anchor}">{escape(content)}</text>')
