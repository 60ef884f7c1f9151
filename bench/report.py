"""The table as text for a terminal and as Markdown for the README."""

COLUMNS = (
    ("per_second", "per second"),
    ("p50_ms", "p50 ms"),
    ("p99_ms", "p99 ms"),
    ("server_cpu_us", "cpu us"),
    ("bytes_to_client", "B to cl."),
    ("bytes_from_client", "B from cl."),
    ("rss_per_connection", "B a conn."),
    ("ratio_to_nginx", "x nginx"),
)


def number(value):
    if value is None:
        return "-"
    if value >= 1000:
        return f"{value:,.0f}".replace(",", " ")
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def text(rows, names, lines, doubts):
    """lines, doubts: by (row, config)."""
    out = []
    for row in rows:
        out.append("")
        out.append(f"{row.name}: {row.title} ({row.connections} connections)")
        out.append("  " + " " * 13 + "".join(f"{title:>12}" for _, title in COLUMNS))
        for name in names:
            line = lines.get((row.name, name))
            if line is None:
                continue
            cells = "".join(f"{number(line[field]):>12}" for field, _ in COLUMNS)
            out.append(f"  {name:<13}{cells}")
            out += [f"  {'':<13}  ^ {doubt}" for doubt in doubts.get((row.name, name), [])]
    return "\n".join(out)


def main_figure(row, line):
    """What the README shows of a row: with its unit."""
    value = line[row.figure]
    if value is None:
        return "–"
    if row.figure == "rss_per_connection":
        return f"{value / 1024:.1f} KiB"
    if row.figure == "p50_ms":
        return f"{value:.2f} / {line['p99_ms']:.2f} ms"
    if row.mode == "download":
        return f"{value * 1048576 / 1e9:.2f} GB/s"
    return f"{number(value)}/s"


def markdown(rows, names, lines, doubts, head):
    shown = [name for name in names if any((row.name, name) in lines for row in rows)]
    out = [
        "| | " + " | ".join(shown) + " |",
        "|---" * (len(shown) + 1) + "|",
    ]
    for row in rows:
        cells = []
        for name in shown:
            line = lines.get((row.name, name))
            cell = main_figure(row, line) if line else "–"
            ratio = line and line["ratio_to_nginx"]
            if ratio and not name.startswith("nginx"):
                cell += f" (×{ratio:.2f})"
            if any("noisy" in d for d in doubts.get((row.name, name), [])):
                cell += " ~"
            if any("never resumes" in d for d in doubts.get((row.name, name), [])):
                cell += " (never resumes)"
            cells.append(cell)
        out.append(f"| {titled(rows, row)} | " + " | ".join(cells) + " |")
    out.append("")
    out.append(
        f"Medians of {head['rounds']} rounds, {head['date'][:10]}, {head['machine']}; {head['versions']}. "
        "One core for the server, one for the load; X25519MLKEM768, ML-DSA-65. In parentheses: how many "
        "times as good as the better nginx. ~: the machine was too noisy to tell."
    )
    return "\n".join(out)


def titled(rows, row):
    """A part run may lack the row that one is the same as."""
    at = [r.name for r in rows].index(row.name)
    if row.title.startswith("The same") and (at == 0 or rows[at - 1].name not in row.name):
        return row.name
    return row.title
