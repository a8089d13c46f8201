"""The generated part of `docs/metrics.md`. To bring the page up to date: `python -m tests.support.metrics_page`."""

from pathlib import Path
from typing import Final

from exporter.metrics.catalogue import EVERY_OPTION, Family, everything

PAGE: Final = Path(__file__).parents[2] / "docs" / "metrics.md"
BEGIN: Final = "<!-- generated from exporter/catalogue: python -m tests.support.metrics_page -->\n"
END: Final = "<!-- end of what is generated -->\n"
HEAD: Final = "| Name | Type | Labels | Meaning | No sample when |\n|---|---|---|---|---|\n"


def table() -> str:
    """A row for every metric of the catalogue, in the order of the page."""
    return HEAD + "".join(_row(family, labels) for family, labels in everything(EVERY_OPTION))


def _row(family: Family, subject: tuple[str, ...]) -> str:
    labels = " ".join(f"`{name}`" for name in (*subject, *family.labels)) or "–"
    return f"| `{family.name}` | {family.kind} | {labels} | {family.help} | {family.absent} |\n"


def parts(page: str) -> tuple[str, str, str]:
    """What stands before the generated part, the part itself, and what stands behind it."""
    before, _, rest = page.partition(BEGIN)
    generated, _, behind = rest.partition(END)
    return before, generated, behind


def main() -> None:
    """Write the page anew."""
    before, _, behind = parts(PAGE.read_text(encoding="utf-8"))
    PAGE.write_text(f"{before}{BEGIN}{table()}{END}{behind}", encoding="utf-8")


if __name__ == "__main__":
    main()
