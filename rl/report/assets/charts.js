// Charts that are read with the pointer and the keys; rl/analysis/charts.py makes their data.
"use strict";

(() => {
  const HEIGHT = 300; // pixels, as in charts.css
  const PAPER = [{ width: 430, height: 230 }, { width: 860, height: 280 }]; // pixels in print
  const DRAG = 5; // pixels; less is a click
  const POINT_REACH = 24; // pixels within which a point has precedence over a line
  const NARROWEST = 1e-6; // zoom, as a share of the whole

  const { svg, html } = Shapes;
  let count = 0; // for ids

  // Draws a chart into its figure; one that is there keeps its zoom and what is hidden.
  window.drawChart = (figure, data) => {
    figure.chart ??= new Chart(figure);
    figure.chart.update(data);
  };

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
      this.key = html("div", {});
      figure.append(this.legend, this.key, this.plot, Exports.button(figure, () => this.data));
      this.listen();
    }

    update(data) {
      this.data = data;
      this.entries = entriesOf(data.series);
      this.drawLegend();
      this.key.replaceChildren(...(data.key ? [Shapes.keyOf(data.key)] : []));
      this.draw();
    }

    // As wide as there is room, or of a size that paper has.
    draw(paper = null) {
      const width = paper?.width || this.plot.clientWidth || 640;
      const height = Shapes.heightOf(this.data, paper?.height || HEIGHT);
      this.width = width;
      if (!paper) this.plot.style.height = `${height}px`;
      this.svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
      this.shown = [...this.entries].flatMap(([name, list]) => (this.hidden.has(name) ? [] : list));
      this.reset.hidden = !this.zoom;
      const ranges = rangesOf(this.data, this.shown, this.zoom);
      this.axes = ranges && Shapes.layOut(ranges, this.data, width, height);
      this.stops = this.axes ? Readings.stopsOf(this.shown, this.axes) : [];
      this.svg.replaceChildren(...(this.axes ? this.picture() : [Shapes.nothing(width, height)]));
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

    // Rebuilt only if its entries have changed, so that a button keeps the focus.
    drawLegend() {
      const entries = [...this.entries];
      const signature = JSON.stringify(entries.map(([name, list]) => [name, list.map(looks)]));
      if (signature === this.signature) return;
      this.signature = signature;
      const buttons = entries.map(([name, list]) => this.legendButton(name, list));
      this.legend.replaceChildren(...(buttons.length > 1 ? buttons : []));
    }

    legendButton(name, list) {
      const pressed = () => String(!this.hidden.has(name));
      const button = html("button", { type: "button", "aria-pressed": pressed() });
      button.append(Shapes.glyph(samples(list)), html("span", {}, name));
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
      const zoom = [Math.max(low, whole.low), Math.min(high, whole.high)];
      const [from, to] = zoom.map(Scales.scale(whole, 0, 1).place); // shares of the whole
      if (to - from < NARROWEST) return;
      this.zoom = to - from > 1 - NARROWEST ? null : zoom;
      this.draw();
    }

    // Around the cursor or else the middle, in pixels, so that it suits a logarithmic axis.
    zoomBy(factor) {
      const { x } = this.axes;
      const middle = this.cursor ? x.place(this.cursor.x) : (x.from + x.to) / 2;
      const [left, right] = [x.from, x.to].map((end) => middle + (end - middle) * factor);
      this.zoomTo(x.value(left), x.value(right));
    }

    resetZoom() {
      this.zoom = null;
      this.draw();
    }

    // Pointer and keys

    listen() {
      const on = (kind, act) =>
        this.svg.addEventListener(kind, (event) => this.axes && act(event));
      on("pointerdown", (event) => this.press(event));
      on("pointermove", (event) => this.move(event));
      on("pointerup", () => this.release());
      on("pointercancel", () => this.select(null));
      on("pointerleave", (event) => event.pointerType === "mouse" && this.show(null));
      on("keydown", (event) => this.type(event));
      on("blur", () => this.show(null));
      this.svg.addEventListener("dblclick", () => this.resetZoom());
      this.reset.addEventListener("click", () => this.resetZoom());
      new ResizeObserver(() => {
        if (this.plot.clientWidth !== this.width && !this.isOnPaper) this.draw();
      }).observe(this.plot);
      window.addEventListener("beforeprint", () => this.print());
      window.addEventListener("afterprint", () => this.print(false));
    }

    // Draws for paper, whatever the width of the window; afterwards as before.
    print(isOnPaper = true) {
      this.isOnPaper = isOnPaper;
      this.draw(isOnPaper ? PAPER[Number(Boolean(this.svg.closest(".wide")))] : null);
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

    // The selected part of the plot, from left to right.
    selected() {
      const { from, to } = this.axes.x;
      const inside = (this.drag || [0, 0]).map((pixel) => Math.min(to, Math.max(from, pixel)));
      return inside.sort((one, other) => one - other);
    }

    select(drag) {
      this.drag = drag;
      if (!this.cursor) this.overlay.replaceChildren();
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

    // The point near a place, or else the nearest x of a line.
    nearest(x, y) {
      const distance = (stop) => {
        const [left, top] = this.placeOf(stop);
        return stop.point ? Math.hypot(left - x, top - y) : Math.abs(left - x);
      };
      const point = Readings.least(this.stops.filter((stop) => stop.point), distance);
      const other = Readings.least(this.stops.filter((stop) => !stop.point), distance);
      return point && (!other || distance(point) < POINT_REACH) ? point : other;
    }

    show(stop) {
      if (stop && stop === this.cursor && this.box.hasChildNodes()) return;
      this.cursor = stop;
      this.overlay.replaceChildren();
      this.box.replaceChildren();
      if (!stop) return;
      const rows = Readings.rowsAt(stop, this.shown, this.axes);
      this.overlay.append(...this.pointer(stop, rows));
      this.box.append(Readings.head(stop, this.data.x), ...rows.map(Readings.rowNode));
      this.placeBox(this.axes.x.place(stop.x));
    }

    pointer(stop, rows) {
      const { x, y } = this.axes;
      const dots = rows.filter((row) => row.dot).map(({ dot, series }) => {
        const colour = { "data-colour": Shapes.colourOf(series) };
        return svg("circle", { cx: x.place(dot.x), cy: y.place(dot.y), r: 3.5, ...colour });
      });
      return [Shapes.line(x.place(stop.x), y.from, x.place(stop.x), y.to), ...dots];
    }

    // Beside the cursor, on the side with more room.
    placeBox(pixel) {
      const isLeft = pixel < this.width / 2;
      const near = `${(isLeft ? pixel : this.width - pixel) + 12}px`;
      this.box.style.left = isLeft ? near : "auto";
      this.box.style.right = isLeft ? "auto" : near;
      this.box.style.maxWidth = `calc(100% - ${near})`;
    }
  }

  // Legend

  // Series by their names in the legend; faint ones whose name no other has are one entry.
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

  const looks = ({ kind, colour, faint, thin }) => [kind, colour, faint, thin].join();

  // One series of each look.
  const samples = (list) => [...new Map(list.map((series) => [looks(series), series])).values()];

  // Ranges

  function rangesOf(data, shown, zoom) {
    const whole = xRange(data);
    if (!whole) return null;
    const x = zoom ? { ...whole, low: zoom[0], high: zoom[1] } : whole;
    const y = yRange(data, shown, x, zoom ? [] : placesOf(data.marks, "y"));
    if (y) y.whole = data.y.whole;
    return y && { x, y };
  }

  const rangeOfNames = (names) => ({ low: -0.5, high: names.length - 0.5, log: false });

  function xRange({ x, series, marks }) {
    if (x.names) return rangeOfNames(x.names);
    const room = series.some(({ kind }) => kind === "points") ? 0.04 : 0;
    const ends = series.filter(({ across }) => across).flatMap(({ low, high }) => [...low, ...high]);
    const values = [...series.flatMap((each) => each.x), ...ends, ...placesOf(marks, "x")];
    const range = Scales.rangeOf(values, x.log, room);
    return range && { ...range, whole: x.whole };
  }

  const placesOf = (marks, axis) => (marks || []).flatMap((mark) => mark[axis] ?? []);

  // Of the values that are visible between the ends of x, and of some levels.
  function yRange(data, shown, x, levels) {
    const { log, names } = data.y;
    if (names) return rangeOfNames(names);
    const isDrawn = (value) => Scales.isDrawn(value, log);
    const values = shown.flatMap((series) => seenValues(series, x)).filter(isDrawn);
    if (!values.length) return null;
    values.push(...levels);
    const range = Scales.rangeOf(values, log, 0.06);
    const hasBars = shown.some(({ kind }) => kind === "bars");
    return hasBars && Scales.extremes(values)[0] === 0 ? { ...range, low: 0 } : range;
  }

  function seenValues(series, x) {
    const width = series.kind === "bars" ? 1 : 0; // a bar is between two values of x
    const isSeen = (_, i) => series.x[i] <= x.high && series.x[i + width] >= x.low;
    const ends = series.across ? [] : [series.low, series.high];
    const columns = [series.y, ...ends].filter(Boolean);
    const inside = columns.flatMap((column) => column.filter(isSeen));
    if (series.kind === "points") return inside;
    if (series.kind === "bars") return [0, ...inside];
    return [...inside, ...columns.flatMap((column) => atEdges(series, column, x))];
  }

  // The values of a line where it enters and leaves the visible range.
  function atEdges(series, column, { low, high }) {
    return column.flatMap((value, i) => {
      const [x0, x1, before] = [series.x[i - 1], series.x[i], column[i - 1]];
      if (!Number.isFinite(before) || !Number.isFinite(value)) return [];
      const crossed = [low, high].filter((edge) => x0 < edge && edge < x1);
      const slope = series.step ? 0 : (value - before) / (x1 - x0);
      return crossed.map((edge) => before + slope * (edge - x0));
    });
  }

  for (const [figure, data] of Shapes.embedded("figure.chart")) drawChart(figure, data);
})();
