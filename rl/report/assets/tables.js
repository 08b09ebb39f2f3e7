// Tables that are sorted by a click on a column's head, and the other way round by the next.
"use strict";

(() => {
  const EMPTY = new Set(["", "-", "–", "—"]);
  const texts = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  function makeSortable(table) {
    const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
    heads.forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
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

  // Rows with the same value keep their order, and those without one come last either way.
  function sorted(rows, column, compare) {
    const key = (row) => keyOf(row.cells[column]);
    const full = rows.filter((row) => key(row) !== null);
    const empty = rows.filter((row) => key(row) === null);
    return [...full.sort((one, other) => compare(key(one), key(other))), ...empty];
  }

  // The text of a cell, or the value that it carries; null if it has none.
  function keyOf(cell) {
    const key = (cell?.dataset.value ?? cell?.textContent ?? "").trim();
    if (EMPTY.has(key)) return null;
    return Number.isNaN(numberOf(key)) ? key : numberOf(key);
  }

  // Thousands may be parted by commas, and a minus may be a real one.
  const numberOf = (text) => Number(text.replaceAll(",", "").replace("−", "-").replace(/%$/, ""));

  // A column with a text in it is sorted as texts.
  function isNumeric(table, column) {
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    const keys = rows.map((row) => keyOf(row.cells[column])).filter((key) => key !== null);
    return keys.length > 0 && keys.every((key) => typeof key === "number");
  }

  function makeAll() {
    for (const table of document.querySelectorAll("table.sortable")) {
      if (table.tHead) makeSortable(table);
    }
  }

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", makeAll);
  else makeAll();
})();
