// Tables that a click on a column's head sorts, and the next click reverses.
"use strict";

(() => {
  const EMPTY = new Set(["", "-", "–", "—"]);
  const texts = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  function makeSortable(table) {
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    heads.forEach((head, column) => {
      const button = Shapes.html("button", { type: "button" }, ...head.childNodes);
      button.addEventListener("click", () => sortBy(table, heads, column));
      head.append(button);
      head.classList.toggle("number", isNumeric(table, column));
    });
  }

  function sortBy(table, heads, column) {
    const isDown = heads[column].getAttribute("aria-sort") === "ascending";
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column].setAttribute("aria-sort", isDown ? "descending" : "ascending");
    const compare = isNumeric(table, column) ? (one, other) => one - other : texts.compare;
    const compared = isDown ? (one, other) => compare(other, one) : compare;
    for (const body of table.tBodies) body.append(...sorted([...body.rows], column, compared));
  }

  // Rows with the same value keep their order; those without one come last either way.
  function sorted(rows, column, compare) {
    const key = (row) => keyOf(row.cells[column]);
    const full = rows.filter((row) => key(row) !== null);
    const empty = rows.filter((row) => key(row) === null);
    return [...full.sort((one, other) => compare(key(one), key(other))), ...empty];
  }

  // The value or text of a cell; null if it has none.
  function keyOf(cell) {
    const key = (cell?.dataset.value ?? cell?.textContent ?? "").trim();
    if (EMPTY.has(key)) return null;
    return Number.isNaN(numberOf(key)) ? key : numberOf(key);
  }

  // Thousands may be separated by commas, and a minus may be a real one.
  const numberOf = (text) => Number(text.replaceAll(",", "").replace("−", "-").replace(/%$/, ""));

  // A column that has a text in it is sorted as texts.
  function isNumeric(table, column) {
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    const keys = rows.map((row) => keyOf(row.cells[column])).filter((key) => key !== null);
    return keys.length > 0 && keys.every((key) => typeof key === "number");
  }

  document.querySelectorAll("table.sortable").forEach((table) => table.tHead && makeSortable(table));
})();
