"""One SVG: for each row a bar a configuration, as long as it is good beside the better nginx."""

from html import escape

from report import main_figure, titled

WIDTH, LEFT, RIGHT = 940, 150, 190
BAR, GAP, HEAD, TOP, BOTTOM = 14, 3, 30, 78, 34
RATIO_MAX = 2.0  # a longer bar is cut, and says so

COLOURS = {  # light, dark
    "pqota": ("#1f6feb", "#58a6ff"),
    "pqota-nginx": ("#0e8a7b", "#3fc1b0"),
    "nginx": ("#6e7781", "#9aa4ae"),
    "nginx-cache": ("#a0a8b0", "#6b757f"),
    "flask-nginx": ("#b8860b", "#e3b341"),
    "flask-tls": ("#c2410c", "#f0883e"),
}

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #1f2328; }
  .title { font-size: 17px; font-weight: 600; } .row { font-weight: 600; } .dim { fill: #59636e; }
  .ground { fill: #ffffff; } .line { stroke: #59636e; stroke-dasharray: 3 3; }
  .value { stroke: #ffffff; stroke-width: 4px; paint-order: stroke; }
"""
DARK = """
    text { fill: #e6edf3; } .dim { fill: #9198a1; } .ground { fill: #0d1117; } .line { stroke: #9198a1; }
    .value { stroke: #0d1117; }
"""


def styles():
    light = "".join(f"  .{name} {{ fill: {c[0]}; }}\n" for name, c in COLOURS.items())
    dark = "".join(f"    .{name} {{ fill: {c[1]}; }}\n" for name, c in COLOURS.items())
    return f"<style>{STYLE}{light}  @media (prefers-color-scheme: dark) {{{DARK}{dark}  }}\n</style>"


def bar(row, line, x, y, unit):
    ratio = line["ratio_to_nginx"]
    name = line["config"]
    length = min(ratio, RATIO_MAX) * unit
    label = main_figure(row, line) + f"  ×{ratio:.2f}" + (" →" if ratio > RATIO_MAX else "")
    return [
        f'<text x="{x - 8}" y="{y + BAR - 3}" text-anchor="end" class="dim">{escape(name)}</text>',
        f'<rect x="{x}" y="{y}" width="{length:.1f}" height="{BAR}" rx="2" class="{name}"/>',
        f'<text x="{x + length + 6:.1f}" y="{y + BAR - 3}" class="value">{escape(label)}</text>',
    ]


def svg(rows, names, lines, head):
    unit = (WIDTH - LEFT - RIGHT) / RATIO_MAX
    body, y = [], TOP
    for row in rows:
        shown = [lines[row.name, n] for n in names if (row.name, n) in lines]
        shown = [line for line in shown if line["ratio_to_nginx"] is not None]
        if not shown:
            continue
        body.append(f'<text x="{LEFT}" y="{y + 16}" class="row">{escape(titled(rows, row))}</text>')
        y += HEAD - 6
        for line in shown:
            body += bar(row, line, LEFT, y, unit)
            y += BAR + GAP
        y += 12
    height = y + BOTTOM
    at = LEFT + unit
    title = "pqota beside nginx on the same core, same certificates, same key exchange"
    under = f"{head['machine']}; {head['versions']}; {head['date'][:10]}"
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" '
            f'height="{height}" role="img">',
            f"<title>{escape(title)}</title>",
            styles(),
            f'<rect class="ground" width="{WIDTH}" height="{height}"/>',
            f'<text x="24" y="32" class="title">{escape(title)}</text>',
            '<text x="24" y="52" class="dim">Longer is better; the dashed line is the better nginx. '
            "Milliseconds are p50 / p99.</text>",
            f'<line class="line" x1="{at}" x2="{at}" y1="{TOP - 8}" y2="{y}"/>',
            *body,
            f'<text x="24" y="{height - 14}" class="dim">{escape(under)}</text>',
            "</svg>",
            "",
        ]
    )
