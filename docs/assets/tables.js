// Every table of a page can be sorted by a column: each heading becomes a button.
(() => {
  const number = (text) => {
    const found = text.replaceAll("−", "-").replaceAll(",", "").match(/^[^\d\[-]*\[?(-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)/i);
    return found ? Number(found[1]) : NaN;
  };

  // Numbers before words, words in the order of the alphabet, empty cells last whichever way.
  const compared = (first, second, sign) => {
    if (!first || !second) return (first ? 0 : 1) - (second ? 0 : 1);
    const [a, b] = [number(first), number(second)];
    if (Number.isNaN(a) || Number.isNaN(b)) {
      return sign * (Number.isNaN(a) - Number.isNaN(b) || first.localeCompare(second));
    }
    return sign * (a - b);
  };

  const sort = (table, heading) => {
    const column = [...heading.parentNode.children].indexOf(heading);
    const up = heading.getAttribute("aria-sort") !== "ascending";
    for (const other of heading.parentNode.children) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", up ? "ascending" : "descending");
    const rows = [...table.tBodies[0].rows].map((row) => [row.cells[column]?.textContent.trim() ?? "", row]);
    rows.sort(([a], [b]) => compared(a, b, up ? 1 : -1));
    table.tBodies[0].append(...rows.map(([, row]) => row));
  };

  for (const table of document.querySelectorAll(".md-typeset table:not(.highlighttable)")) {
    const headings = table.tHead?.rows[0]?.cells ?? [];
    for (const cell of table.querySelectorAll("td")) cell.classList.toggle("short", cell.textContent.length < 26);
    if (!table.tBodies[0] || table.tBodies[0].rows.length < 2) continue;
    for (const heading of headings) {
      if (!heading.textContent.trim()) continue;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.title = "Sort by this column";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, heading));
      heading.append(button);
    }
  }
})();
