"""A page for each table of results: its rows, or where there are too many, what each column holds."""

from html import escape
from typing import Any

import pandas as pd

from experiments.manifest import FOLDER, read_manifest
from scripts.figures.tables import TABLES
from scripts.prose import significant
from scripts.site.sources import tracked

__all__ = ["MOST_ROWS", "columns_of", "pages", "rows_of"]

#: A page shows tables of up to so many rows, and describes those of more.
MOST_ROWS = 700


def pages() -> dict[str, str | bytes]:
    """The page that lists the tables, and the page of each."""
    made, lines = {}, ""
    manifests = [read_manifest(path) for path in sorted((TABLES / FOLDER).glob("*.json"))]
    for path in tracked("results/tables/*.csv"):
        table = pd.read_csv(path)
        manifest = next((one for one in manifests if path.name in one["tables"]), {})
        made[f"tables/{path.stem}.md"] = _page(path.stem, table, manifest)
        whole = "yes" if len(table) <= MOST_ROWS else "columns"
        lines += f"| [`{path.stem}`](tables/{path.stem}.md) | {len(table)} | {len(table.columns)} | {whole} |\n"
    text = (
        "# Tables\n\nEvery number of these pages comes from one of these tables. What a row of each is, and the "
        "command that makes it: [Results](project/results.md). A click on a column's heading sorts by it.\n\n"
        "| table | rows | columns | shown here |\n|---|---|---|---|\n" + lines
    )
    return {"tables.md": text, **made}


def _page(name: str, table: pd.DataFrame, manifest: dict[str, Any]) -> str:
    stale = manifest.get("stale")
    text = f"---\nsearch:\n  exclude: true\n---\n# `{name}.csv`\n\n"
    text += f"`results/tables/{name}.csv` of the repository: {len(table)} rows, {len(table.columns)} columns.\n\n"
    if manifest:
        text += f"Made on {manifest['date']} ({manifest['machine']}; torch {manifest['torch']}).\n\n"
    if stale:
        text += f"**Stale**: {stale}\n\n"
    return text + (rows_of(table) if len(table) <= MOST_ROWS else columns_of(table)) + "\n"


def rows_of(table: pd.DataFrame) -> str:
    """All rows, as HTML.

    Example:
        >>> rows_of(pd.DataFrame({"mode": ["diff"], "error": [0.000123456]}))[-66:]
        '<tbody>\\n<tr><td>diff</td><td>0.0001235</td></tr>\\n</tbody>\\n</table>'
    """
    head = "".join(f"<th>{escape(str(name))}</th>" for name in table.columns)
    lines = [
        "<tr>" + "".join(f"<td>{escape(_cell(value))}</td>" for value in row) + "</tr>"
        for row in table.itertuples(index=False)
    ]
    return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody>\n</table>"


def columns_of(table: pd.DataFrame) -> str:
    """What each column of a long table holds: its values, if they are few, or how many, and from where to where."""
    text = "Its rows are too many for a page. What its columns hold:\n\n"
    text += "| column | different values | which |\n|---|---|---|\n"
    for name, column in table.items():
        values = column.dropna().unique()
        if len(values) <= 24:
            which = ", ".join(f"`{_cell(value)}`" for value in values)
        elif pd.api.types.is_numeric_dtype(column):
            which = f"from {significant(column.min())} to {significant(column.max())}"
        else:
            which = f"`{min(values)}` to `{max(values)}`, in the order of the alphabet"
        text += f"| `{name}` | {len(values)} | {which} |\n"
    return text


def _cell(value: Any) -> str:
    if pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
