// What a chart says at a place.
//
// A stop is where the cursor can be: {x}; {x, from, to} in a bar; {x, y, point} at a point.
// A row is what a series says there: {series, name, value, spread, dot, x} or {series, text, dot},
// where `dot` {x, y} is the point in question and `x` is where its value was measured, if elsewhere.
"use strict";

const Readings = (() => {
  const END_REACH = 12; // pixels beyond its ends within which a line still has a value

  function stopsOf(shown, { x, y }) {
    const found = new Map();
    for (const series of readable(shown)) {
      for (const stop of STOPS[series.kind](series, y)) {
        if (stop.x >= x.low && stop.x <= x.high) found.set(stop.point ? stop : stop.x, stop);
      }
    }
    return [...found.values()].sort((one, other) => one.x - other.x);
  }

  const STOPS = { line: lineStops, band: lineStops, bars: barStops, points: pointStops };

  function lineStops({ x: places }) {
    return places.map((x) => ({ x }));
  }

  function barStops({ x, y }) {
    const edges = y.map((_, i) => [x[i], x[i + 1]]);
    return edges.map(([from, to]) => ({ x: (from + to) / 2, from, to }));
  }

  function pointStops(series, { log }) {
    const { x: places, y } = series;
    const stops = places.map((x, index) => ({ x, y: y[index], point: { series, index } }));
    return stops.filter((stop) => Scales.isDrawn(stop.y, log));
  }

  // Faint series are read only where there are no others.
  function readable(shown) {
    const loud = shown.filter((series) => !series.faint);
    return loud.length ? loud : shown;
  }

  function least(items, cost) {
    let [best, lowest] = [null, Infinity];
    for (const item of items) {
      const each = cost(item);
      if (each < lowest) [best, lowest] = [item, each];
    }
    return best;
  }

  function rowsAt(stop, shown, axes) {
    const others = readable(shown).filter((series) => series.kind !== "points");
    const rows = merged(others.flatMap((series) => rowOf(series, stop, axes)));
    if (!stop.point) return rows;
    const point = pointRow(stop);
    const isSaid = (row) => row.name === point.name && row.x === undefined;
    return rows.some(isSaid) ? rows : [point, ...rows];
  }

  function pointRow({ x, y, point: { series, index } }) {
    const dot = { x, y };
    const text = series.texts?.[index];
    if (typeof text === "string") return { series, text, dot };
    const spread = series.low ? spreadText(series, index) : "";
    return { series, name: series.name, value: Scales.valueText(y), spread, dot };
  }

  const spreadText = ({ low, high }, i) =>
    Number.isFinite(low[i]) ? ` (${Scales.valueText(low[i])} to ${Scales.valueText(high[i])})` : "";

  function rowOf(series, stop, axes) {
    const index = indexAt(series, stop, axes.x);
    if (index < 0) return [];
    const { name } = series;
    const isThere = series.kind === "bars" || series.step || series.x[index] === stop.x;
    const x = isThere ? undefined : series.x[index];
    if (series.kind === "band") {
      const spread = spreadText(series, index);
      return spread ? [{ series, name, value: "", spread, x }] : [];
    }
    const y = series.y[index];
    if (!Scales.isDrawn(y, axes.y.log)) return [{ series, name, value: "–", spread: "", x }];
    const dot = series.kind === "line" ? { x: series.step ? stop.x : series.x[index], y } : null;
    return [{ series, name, value: Scales.valueText(y), spread: "", dot, x }];
  }

  // The index of the value that a series has at a stop; -1 beyond its ends.
  function indexAt(series, stop, scale) {
    const { x } = series;
    const isIn = (left, i) => left <= stop.x && stop.x < x[i + 1];
    if (series.kind === "bars") return x.findIndex(isIn);
    const index = series.step
      ? x.reduce((last, each, i) => (each <= stop.x ? i : last), 0)
      : x.indexOf(least(x, (each) => Math.abs(each - stop.x)));
    const reach = (each) => Math.abs(scale.place(each) - scale.place(stop.x)) <= END_REACH;
    const isWithin = x[0] <= stop.x && stop.x <= x[x.length - 1];
    return isWithin || reach(x[index]) ? index : -1;
  }

  // A band is shown in the row of the line that has its name.
  function merged(rows) {
    const bands = rows.filter((row) => row.spread);
    const lines = rows.filter((row) => !row.spread);
    const spreadOf = (name) => bands.find((band) => band.name === name)?.spread ?? "";
    const alone = bands.filter((band) => !lines.some((row) => row.name === band.name));
    return [...lines.map((row) => ({ ...row, spread: spreadOf(row.name) })), ...alone];
  }

  // Nodes of the box

  // A value that was measured elsewhere says where: "36 at 2,500".
  function rowNode({ series, name, value, spread, text, x }) {
    const { html, glyph } = Shapes;
    const row = html("div", { class: "row" }, glyph([series]));
    if (text === undefined) {
      row.append(html("span", { class: "name" }, name));
      const at = x === undefined ? "" : ` at ${Scales.valueText(x)}`;
      row.append(html("b", { class: "value" }, value, html("span", { class: "spread" }, spread + at)));
    } else row.append(html("span", { class: "text" }, text));
    return row;
  }

  function head({ x, from, to }, { names, label }) {
    const edges = from === undefined ? [x] : [from, to];
    const value = edges.map(Scales.valueText).join(" to ");
    const text = names?.[Math.round(x)] ?? `${label || ""} ${value}`.trim();
    return Shapes.html("div", { class: "head" }, String(text));
  }

  return { stopsOf, rowsAt, least, head, rowNode };
})();
