// The data of a chart as a CSV file, which the page makes itself.
"use strict";

const Exports = (() => {
  const COLUMNS = ["x", "y", "low", "high"];

  // A button that saves the data of a figure's chart, which `read` returns, named as the chart is.
  function button(figure, read) {
    const look = { type: "button", class: "csv", "aria-label": "download the data as CSV" };
    const node = Shapes.html("button", look, "CSV");
    node.addEventListener("click", () => {
      const title = (figure.getAttribute("aria-label") || "chart").split(". ")[0];
      save(csvOf(read()), `${fileName(title)}.csv`);
    });
    return node;
  }

  function save(text, name) {
    const href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
    Shapes.html("a", { href, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(href), 1000); // the browser has begun to read it by then
  }

  const fileName = (title) => title.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "_");

  // A row for each point: its series, its place on both axes, its interval and what it says.
  function csvOf({ x, y, series }) {
    const head = ["series", x.label || "x", y.label || "y", "low", "high", "text"];
    const rows = series.flatMap((each) => each.x.map((_, i) => rowOf(each, i, x, y)));
    return [head, ...rows].map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
  }

  // A place with a name is written as that name; the last edge of bars has no height.
  function rowOf(series, i, x, y) {
    const named = (value, { names }) => names?.[Math.round(value)] ?? value;
    const [left, top, low, high] = COLUMNS.map((column) => series[column]?.[i]);
    return [series.name, named(left, x), named(top, y), low, high, series.texts?.[i]];
  }

  function cell(value) {
    const text = String(value ?? "");
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  }

  return { button, csvOf };
})();
