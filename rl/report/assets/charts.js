// Charts that are read with the pointer and the keys.
//
// A chart is {x, y, series, marks}. An axis is {label, log, names}; `names` are those of the places
// 0, 1, ... of x. A series has a kind, a name, a colour (0 to 6), x, and by its kind
//   line    y, where null is a gap; with `step`, it keeps a value up to the next
//   band    low, high
//   points  y; low, high of an error bar, texts for the box, shades from 0 (pale) to 1
//   bars    y; x are their edges, one more than y has
// A `faint` one is drawn behind the others. A mark is {x or y, label}.
"use strict";

(() => {
  const HEIGHT = 300; // pixels, as in charts.css
  const DRAG = 5; // pixels; less is a click
  const POINT_REACH = 24; // pixels within which a point is pointed at rather than a line
  const END_REACH = 12; // pixels beyond its ends at which a line still has a value
  const NARROWEST = 1e-6; // zoom, as a share of the whole

  const charts = new WeakMap(); // figure -> Chart
  let count = 0; // for ids

  const svg = (...parts) => Shapes.svg(...parts);
  const html = (...parts) => Shapes.html(...parts);

  // Draws a chart into its figure; again with new data, it keeps its zoom and what is hidden.
  function drawChart(figure, data) {
    if (!charts.has(figure)) charts.set(figure, new Chart(figure));
    charts.get(figure).update(data);
  }

  class Chart {
    constructor(figure) {
      this.hidden = new Set(); // names of legend entries
      this.zoom = null; // [low, high] of x
      this.cursor = null; // the stop that is shown
      this.drag = null; // pixels of x, [from, to]
      this.clipId = `chart-clip-${(count += 1)}`;
      this.legend = html("div", { class: "legend" });
      this.reset = html("button", { type: "button", class: "reset" }, "reset zoom");
      const label = figure.getAttribute("aria-label") || "";
      this.svg = svg("svg", { role: "img", tabindex: 0, "aria-label": label });
      this.overlay = svg("g", { class: "cursor" });
      this.box = html("div", { class: "box", role: "status" });
      this.plot = html("div", { class: "plot" }, this.svg, this.reset, this.box);
      figure.append(this.legend, this.plot);
      this.listen();
    }

    update(data) {
      this.data = data;
      this.entries = entriesOf(data.series);
      this.drawLegend();
      this.draw();
    }

    draw() {
      const width = this.plot.clientWidth || 640;
      this.width = width;
      this.svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
      this.shown = [...this.entries].flatMap(([name, list]) => (this.hidden.has(name) ? [] : list));
      this.reset.hidden = !this.zoom;
      const ranges = rangesOf(this.data, this.shown, this.zoom);
      this.axes = ranges && Shapes.layOut(ranges, this.data, width, HEIGHT);
      this.stops = this.axes ? stopsOf(this.shown, this.axes) : [];
      this.svg.replaceChildren(...(this.axes ? this.picture() : [Shapes.nothing(width, HEIGHT)]));
      this.show(this.cursor && this.nearest(...this.placeOf(this.cursor)));
    }

    picture() {
      const series = Shapes.allSeries(this.shown, this.axes);
      return [
        Shapes.clip(this.clipId, this.axes),
        Shapes.grid(this.axes, this.data),
        svg("g", { "clip-path": `url(#${this.clipId})` }, ...series),
        ...Shapes.axisTexts(this.axes, this.data),
        ...Shapes.marks(this.data.marks, this.axes),
        this.overlay,
      ];
    }

    // Built again only when its entries change, so that a button keeps the focus.
    drawLegend() {
      const signature = JSON.stringify([...this.entries].map(([name, list]) => [name, list.map(looks)]));
      if (signature === this.signature) return;
      this.signature = signature;
      const entries = this.entries.size > 1 ? [...this.entries] : [];
      this.legend.replaceChildren(...entries.map((entry) => this.legendButton(...entry)));
    }

    legendButton(name, list) {
      const pressed = () => String(!this.hidden.has(name));
      const attributes = { type: "button", "aria-pressed": pressed() };
      const button = html("button", attributes, Shapes.glyph(samples(list)), html("span", {}, name));
      button.addEventListener("click", () => {
        if (!this.hidden.delete(name)) this.hidden.add(name);
        button.setAttribute("aria-pressed", pressed());
        this.draw();
      });
      return button;
    }

    // Zoom

    zoomTo(low, high) {
      const whole = xRange(this.data);
      const [from, to] = [Math.max(low, whole.low), Math.min(high, whole.high)];
      if (to - from < NARROWEST * (whole.high - whole.low)) return;
      this.zoom = from === whole.low && to === whole.high ? null : [from, to];
      this.draw();
    }

    // Around the cursor, or else the middle; in pixels, so that a logarithmic axis is alike.
    zoomBy(factor) {
      const { x } = this.axes;
      const middle = this.cursor ? x.place(this.cursor.x) : (x.from + x.to) / 2;
      this.zoomTo(x.value(middle - (middle - x.from) * factor), x.value(middle + (x.to - middle) * factor));
    }

    resetZoom() {
      this.zoom = null;
      this.draw();
    }

    // Pointer and keys

    listen() {
      const on = (target, kind, act) => target.addEventListener(kind, (event) => this.axes && act(event));
      on(this.svg, "pointerdown", (event) => this.press(event));
      on(this.svg, "pointermove", (event) => this.move(event));
      on(this.svg, "pointerup", () => this.release());
      on(this.svg, "pointercancel", () => this.select(null));
      on(this.svg, "pointerleave", (event) => event.pointerType === "mouse" && this.show(null));
      on(this.svg, "keydown", (event) => this.type(event));
      this.svg.addEventListener("dblclick", () => this.resetZoom());
      this.reset.addEventListener("click", () => this.resetZoom());
      new ResizeObserver(() => this.plot.clientWidth !== this.width && this.draw()).observe(this.plot);
    }

    pixels(event) {
      const { left, top } = this.svg.getBoundingClientRect();
      return [event.clientX - left, event.clientY - top];
    }

    press(event) {
      if (event.button !== 0) return;
      const [x, y] = this.pixels(event);
      this.svg.setPointerCapture(event.pointerId);
      this.drag = [x, x];
      this.show(this.nearest(x, y));
    }

    move(event) {
      const [x, y] = this.pixels(event);
      if (!this.drag) this.show(this.nearest(x, y));
      else this.select([this.drag[0], x]);
    }

    release() {
      const [low, high] = this.selected();
      const { x } = this.axes;
      this.select(null);
      if (high - low > DRAG) this.zoomTo(x.value(low), x.value(high));
    }

    // The part of the plot that is dragged over, from left to right.
    selected() {
      const { from, to } = this.axes.x;
      const inside = (this.drag || [0, 0]).map((pixel) => Math.min(to, Math.max(from, pixel)));
      return inside.sort((one, other) => one - other);
    }

    select(drag) {
      this.drag = drag;
      const [x, end] = this.selected();
      if (!drag || end - x <= DRAG) return;
      const { from, to } = this.axes.y;
      const area = { class: "selection", x, y: to, width: end - x, height: from - to };
      this.show(null);
      this.overlay.replaceChildren(svg("rect", area));
    }

    type(event) {
      const acts = {
        ArrowLeft: () => this.go(-1),
        ArrowRight: () => this.go(1),
        "+": () => this.zoomBy(0.5),
        "=": () => this.zoomBy(0.5), // the same key without Shift
        "-": () => this.zoomBy(2),
        Escape: () => this.resetZoom(),
      };
      if (event.ctrlKey || event.metaKey || event.altKey || !acts[event.key]) return;
      event.preventDefault();
      acts[event.key]();
    }

    // The cursor

    go(by) {
      const place = this.stops.indexOf(this.cursor);
      const first = by > 0 ? 0 : this.stops.length - 1;
      const next = place < 0 ? first : Math.min(this.stops.length - 1, Math.max(0, place + by));
      this.show(this.stops[next] || null);
    }

    placeOf({ x, y }) {
      return [this.axes?.x.place(x), y === undefined ? 0 : this.axes?.y.place(y)];
    }

    // The point near to a place, or else the x of a line nearest to it.
    nearest(x, y) {
      const distance = (stop) => {
        const [left, top] = this.placeOf(stop);
        return stop.point ? Math.hypot(left - x, top - y) : Math.abs(left - x);
      };
      const closest = (stops) => least(stops, distance);
      const point = closest(this.stops.filter((stop) => stop.point));
      const other = closest(this.stops.filter((stop) => !stop.point));
      return point && (!other || distance(point) < POINT_REACH) ? point : other;
    }

    show(stop) {
      if (stop && stop === this.cursor && this.box.hasChildNodes()) return;
      this.cursor = stop;
      const rows = stop ? rowsAt(stop, this.shown, this.axes) : [];
      this.overlay.replaceChildren(...(stop ? this.pointer(stop, rows) : []));
      this.box.replaceChildren(...(stop ? [head(stop, this.data.x), ...rows.map(rowNode)] : []));
      if (stop) this.placeBox(this.axes.x.place(stop.x));
    }

    pointer(stop, rows) {
      const { x, y } = this.axes;
      const dots = rows.filter((row) => row.dot).map(({ dot, series }) =>
        svg("circle", { cx: x.place(dot.x), cy: y.place(dot.y), r: 3.5, "data-colour": Shapes.colourOf(series) })
      );
      return [Shapes.line(x.place(stop.x), y.from, x.place(stop.x), y.to), ...dots];
    }

    // Beside the cursor, on the side where there is more room.
    placeBox(pixel) {
      const isLeft = pixel < this.width / 2;
      const near = `${(isLeft ? pixel : this.width - pixel) + 12}px`;
      this.box.style.left = isLeft ? near : "auto";
      this.box.style.right = isLeft ? "auto" : near;
      this.box.style.maxWidth = `calc(100% - ${near})`;
    }
  }

  // Legend

  // Series by what the legend calls them: those of one name together, and so are all faint ones
  // that have a name of their own.
  function entriesOf(list) {
    const loud = new Set(list.filter((series) => !series.faint).map((series) => series.name));
    const faint = [...new Set(list.map((series) => series.name))].filter((name) => !loud.has(name));
    const together = faint.length > 1 ? `${faint[0]} … ${faint[faint.length - 1]}` : faint[0];
    const entries = new Map();
    for (const series of list) {
      const name = loud.has(series.name) ? series.name : together;
      entries.set(name, [...(entries.get(name) || []), series]);
    }
    return entries;
  }

  const looks = ({ kind, colour, faint }) => `${kind} ${colour} ${Boolean(faint)}`;

  // One series of each look.
  const samples = (list) => [...new Map(list.map((series) => [looks(series), series])).values()];

  // Ranges

  function rangesOf(data, shown, zoom) {
    const whole = xRange(data);
    if (!whole) return null;
    const x = zoom ? { ...whole, low: zoom[0], high: zoom[1] } : whole;
    const y = yRange(data, shown, x, zoom ? [] : data.marks || []);
    return y && { x, y };
  }

  function xRange({ x, series }) {
    if (x.names) return { low: -0.5, high: x.names.length - 0.5, log: false };
    const room = series.some(({ kind }) => kind === "points") ? 0.04 : 0;
    return Scales.rangeOf(series.flatMap((each) => each.x), x.log, room);
  }

  // Of what is seen between the ends of x, and of the marks.
  function yRange(data, shown, x, marks) {
    const { log } = data.y;
    const values = shown.flatMap((series) => seenValues(series, x));
    if (!values.some((value) => Scales.isDrawn(value, log))) return null;
    const levels = marks.flatMap(({ y }) => (y === undefined ? [] : [y]));
    const range = Scales.rangeOf([...values, ...levels], log, 0.06);
    const standsOnZero = shown.some(({ kind }) => kind === "bars") && Math.min(...Scales.extremes(values)) >= 0;
    return standsOnZero && !log ? { ...range, low: 0 } : range;
  }

  function seenValues(series, x) {
    const columns = [series.y, series.low, series.high].filter(Boolean);
    if (series.kind === "bars") return [0, ...series.y.filter((_, i) => series.x[i] < x.high && series.x[i + 1] > x.low)];
    const inside = columns.flatMap((column) =>
      column.filter((_, i) => series.x[i] >= x.low && series.x[i] <= x.high)
    );
    return series.kind === "points" ? inside : [...inside, ...columns.flatMap((column) => atEdges(series, column, x))];
  }

  // The values of a line where it enters and leaves what is seen.
  function atEdges(series, column, { low, high }) {
    return column.flatMap((value, i) => {
      const [x0, x1, before] = [series.x[i - 1], series.x[i], column[i - 1]];
      if (!Number.isFinite(before) || !Number.isFinite(value)) return [];
      const crossed = [low, high].filter((edge) => x0 < edge && edge < x1);
      const slope = series.step ? 0 : (value - before) / (x1 - x0);
      return crossed.map((edge) => before + slope * (edge - x0));
    });
  }

  // Stops: places where the cursor can be. {x}, {x, from, to} of a bar, {x, y, point} of a point.

  function stopsOf(shown, { x, y }) {
    const found = new Map();
    for (const series of readable(shown)) {
      for (const stop of STOPS[series.kind](series, y)) {
        if (stop.x >= x.low && stop.x <= x.high) found.set(stop.point ? stop : stop.x, stop);
      }
    }
    return [...found.values()].sort((one, other) => one.x - other.x);
  }

  const linesStops = (series) => series.x.map((x) => ({ x }));

  const STOPS = {
    line: linesStops,
    band: linesStops,
    bars: (series) =>
      series.y.map((_, i) => {
        const [from, to] = [series.x[i], series.x[i + 1]];
        return { x: (from + to) / 2, from, to };
      }),
    points: (series, { log }) =>
      series.x
        .map((x, index) => ({ x, y: series.y[index], point: { series, index } }))
        .filter((stop) => Scales.isDrawn(stop.y, log)),
  };

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

  // Rows of the box: {series, name, value, dot} or {series, text, dot}

  function rowsAt(stop, shown, axes) {
    const others = readable(shown).filter((series) => series.kind !== "points");
    const rows = others.flatMap((series) => rowOf(series, stop, axes));
    return stop.point ? [pointRow(stop), ...rows] : merged(rows);
  }

  function pointRow({ x, y, point: { series, index } }) {
    const dot = { x, y };
    const text = series.texts?.[index];
    if (text !== undefined) return { series, text, dot };
    const spread = series.low ? spreadText(series, index) : "";
    return { series, name: series.name, value: Scales.valueText(y), spread, dot };
  }

  const spreadText = ({ low, high }, i) =>
    Number.isFinite(low[i]) ? ` (${Scales.valueText(low[i])} to ${Scales.valueText(high[i])})` : "";

  function rowOf(series, stop, axes) {
    const index = indexAt(series, stop, axes.x);
    if (index < 0) return [];
    const { name } = series;
    if (series.kind === "band") return [{ series, name, value: "", spread: spreadText(series, index) }];
    const y = series.y[index];
    if (!Scales.isDrawn(y, axes.y.log)) return [{ series, name, value: "–", spread: "" }];
    const dot = series.kind === "line" ? { x: series.step ? stop.x : series.x[index], y } : null;
    return [{ series, name, value: Scales.valueText(y), spread: "", dot }];
  }

  // The index of the value that a series has at a stop; -1 beyond its ends.
  function indexAt(series, stop, scale) {
    const { x } = series;
    if (series.kind === "bars") return series.y.findIndex((_, i) => x[i] <= stop.x && stop.x < x[i + 1]);
    const index = series.step
      ? x.reduce((last, each, i) => (each <= stop.x ? i : last), 0)
      : x.indexOf(least(x, (each) => Math.abs(each - stop.x)));
    const reach = (each) => Math.abs(scale.place(each) - scale.place(stop.x)) <= END_REACH;
    const isWithin = x[0] <= stop.x && stop.x <= x[x.length - 1];
    return isWithin || reach(x[index]) ? index : -1;
  }

  // A line and its band are one row.
  function merged(rows) {
    const byName = new Map();
    for (const row of rows) {
      const known = byName.get(row.name);
      if (known && (!known.value || !row.value)) {
        byName.set(row.name, { ...known, ...(row.value ? row : {}), spread: known.spread + row.spread });
      } else byName.set(known ? row : row.name, row);
    }
    return [...byName.values()];
  }

  function rowNode({ series, name, value, spread = "", text }) {
    const glyph = Shapes.glyph([series]);
    if (text !== undefined) return html("div", { class: "row" }, glyph, html("span", { class: "text" }, text));
    const figure = html("b", { class: "value" }, value, html("span", { class: "spread" }, spread));
    return html("div", { class: "row" }, glyph, html("span", { class: "name" }, name), figure);
  }

  function head({ x, from, to }, axis) {
    const place = axis.names?.[Math.round(x)];
    const value = from === undefined ? Scales.valueText(x) : `${Scales.valueText(from)} to ${Scales.valueText(to)}`;
    return html("div", { class: "head" }, place === undefined ? `${axis.label || ""} ${value}`.trim() : String(place));
  }

  function drawAll() {
    for (const figure of document.querySelectorAll("figure.chart")) {
      const script = figure.querySelector('script[type="application/json"]');
      if (script) drawChart(figure, JSON.parse(script.textContent));
    }
  }

  window.drawChart = drawChart;
  // The other scripts have been read by then, in whichever order they stand in the page.
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", drawAll);
  else drawAll();
})();
