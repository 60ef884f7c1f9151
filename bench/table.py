"""From rounds to figures: medians, ratios to nginx round by round, and whether they can be believed."""

import statistics

from rows import FIELDS, better

# Beyond these a row's ratio says nothing. Shares of one.
SPREAD_MAX = 0.25  # of the rounds' ratios: (most - least) / median
OTHERS_MAX = (
    0.20  # of the servers' core, taken by others (median of the rounds), in rows that want all of it
)
GENERATOR_MAX = 0.95  # of the load's core
RESUMED_MIN = 0.99

NGINX = ("nginx", "nginx-cache")


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def spread(values):
    values = [v for v in values if v is not None]
    middle = median(values)
    return (max(values) - min(values)) / middle if len(values) > 1 and middle else None


class Table:
    """Holds what each round found, by row and configuration."""

    def __init__(self):
        self.found = {}  # (row, config) -> [figures of a round or None]
        self.notes = {}  # (row, config) -> [notes of a round]
        self.failed = {}  # (row, config) -> why

    def add(self, row, config, figures, notes):
        self.found.setdefault((row.name, config), []).append(figures)
        self.notes.setdefault((row.name, config), []).append(notes)

    def fail(self, row, config, why):
        self.failed[row.name, config] = why
        self.add(row, config, None, {})

    def of(self, row, config, field):
        return [f[field] if f else None for f in self.found.get((row.name, config), [])]

    def ratios(self, row, config):
        """Round by round, to the better of the two nginx configurations of that round."""
        own = self.of(row, config, row.figure)
        theirs = [self.of(row, name, row.figure) for name in NGINX]
        ratios = []
        for i, value in enumerate(own):
            others = [t[i] for t in theirs if i < len(t)]
            all_ratios = [r for r in (better(row, value, other) for other in others) if r is not None]
            ratios.append(min(all_ratios) if all_ratios else None)
        return ratios

    def line(self, row, config):
        """One object of bench.json."""
        made = {"config": config, "row": row.name}
        made |= {field: rounded(median(self.of(row, config, field))) for field in FIELDS}
        return made | {"ratio_to_nginx": rounded(median(self.ratios(row, config)))}

    def doubts(self, row, config):
        """What makes the figures of this row and configuration doubtful, as short texts."""
        notes = self.notes.get((row.name, config), [])
        doubts = []
        if (row.name, config) in self.failed:
            doubts.append("failed: " + self.failed[row.name, config])
        resumed = median(n.get("resumed") for n in notes)
        if resumed is not None and resumed < RESUMED_MIN:
            doubts.append("never resumes" if resumed < 0.01 else f"{resumed:.0%} resumed")
        if (median(n.get("generator") for n in notes) or 0) > GENERATOR_MAX:
            doubts.append("the load was the limit")
        wide = spread(self.ratios(row, config))
        others = (median(n.get("others") for n in notes) or 0) if row.figure == "per_second" else 0
        if (wide or 0) > SPREAD_MAX or others > OTHERS_MAX:
            text = "too noisy to tell" if config not in NGINX else "noisy"
            doubts.append(
                f"{text} (ratios differ by {wide or 0:.0%}, others took {others:.0%} of the core)"
            )
        return doubts


def remarks(rounds):
    """Lines about what makes rounds, {configuration: [figures, ...]}, doubtful."""
    limits = (
        ("generator_cpu_share", GENERATOR_MAX, "The load was the limit"),
        ("others_share", OTHERS_MAX, "Too noisy to tell, others took much of the servers' core"),
    )
    found = []
    for field, most, text in limits:
        names = [n for n, figures in rounds.items() if (median(f.get(field) for f in figures) or 0) > most]
        found += [f"{text}: {', '.join(names)}."] if names else []
    return ["", *found] if found else []


def rounded(value):
    """Four significant digits."""
    return None if value is None else float(f"{value:.4g}")
