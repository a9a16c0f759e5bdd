"""The verdicts of docs/paper.md and Diff against every method of the paper: `python -m scripts.paper_page`."""

from collections import Counter
from pathlib import Path

from experiments.paths import REPOSITORY
from experiments.sentences import in_one_sentence
from scripts.claims import LEVEL
from scripts.figures.tables import TABLES
from scripts.finding_sentences import rounded
from scripts.pages import update
from scripts.paper_contrasts import OWN, RIVALS, TASKS, against
from scripts.paper_verdicts import HELD, IN_PART, NOT, OPEN, claims_of_the_paper
from scripts.prose import listed
from scripts.sweeps import METRICS

__all__ = ["main", "parts", "rivals", "verdicts"]

TITLES = {
    ("classification", "accuracy", "whole"): "classification, accuracy",
    ("segmentation", "mean_iou", "whole"): "segmentation, mean IoU",
    ("segmentation", "iou_micro", "whole"): "segmentation, IoU (micro)",
    ("super_resolution", "mse", "frame"): "super-resolution, error in the frame",
    ("super_resolution", "mse", "interior"): "super-resolution, error in the interior",
}


def verdicts(tables: Path) -> str:
    """Write how many claims have which verdict, then a row for each claim."""
    claims = claims_of_the_paper(tables)
    counts = Counter(claim.verdict for claim in claims)
    words = listed([f"{counts[each]} {each}" for each in (HELD, IN_PART, OPEN, NOT) if counts[each]])
    lines = [
        f"Of {len(claims)} claims: {words}.",
        "",
        "| claim (where it is made) | verdict | what we found |",
        "|---|---|---|",
    ]
    for claim in claims:
        links = ", ".join(f"[{name}](../results/tables/{name}.csv)" for name in claim.tables)
        found = claim.measured + (f" Table: {links}." if links else "")
        lines.append(f"| {claim.claim} ({claim.place}) | **{claim.verdict}** | {found} |")
    return "\n".join(lines)


def rivals(tables: Path) -> str:
    """Write Diff less every method of the paper: a row for each method, a column for each task, metric and region."""
    cells: dict[str, dict[str, str]] = {}
    for task in TASKS:
        for row in against(tables, task).to_dict("records"):
            title = TITLES[task, row["metric"], row["region"]]
            interval = f"[{rounded(row['low'])}, {rounded(row['high'])}]" + ("†" if row["primary"] else "")
            mark = ""
            if row["corrected"] < LEVEL:
                mark = "**" if (row["estimate"] > 0) == METRICS[row["metric"]].higher_is_better else "*"
            cells.setdefault(title, {})[row["other"]] = f"{mark}{rounded(row['estimate'])}{mark} {interval}"
    lines = ["| Diff less | " + " | ".join(cells) + " |", "|---" * (len(cells) + 1) + "|"]
    for other in (*RIVALS, OWN):
        lines.append(f"| `{other}` | " + " | ".join(column[other] for column in cells.values()) + " |")
    return "\n".join(lines)


def parts(tables: Path = TABLES) -> list[tuple[str, str, str]]:
    """The parts of the page: first mark, last mark, what stands between."""
    return [
        ("<!-- verdicts -->", "<!-- end of verdicts -->", verdicts(tables)),
        ("<!-- Diff and its rivals -->", "<!-- end of Diff and its rivals -->", rivals(tables)),
    ]


@in_one_sentence("scripts.paper_page")
def main() -> None:
    """Write both parts of the page."""
    for start, end, text in parts():
        update(REPOSITORY / "docs" / "paper.md", start, end, text)


if __name__ == "__main__":
    main()
