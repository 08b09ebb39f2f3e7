// The shapes of a chart: its series, axes and marks as SVG. `axes` are the two scales, {x, y}.
"use strict";

const Shapes = (() => {
  const NAMESPACE = "http://www.w3.org/2000/svg";
  const SHADES = 8; // of points; as many paths, however many points
  const LEVEL_ROOM = 4; // pixels between names on one level
  const PLACE = 44; // pixels for a place whose name stands inside the plot
  const NAME_CHARACTERS = [14, 20]; // of slanted names, in a narrow and a wide chart
  const NARROW = 480; // pixels
  const SLANT = 50; // degrees

  // A marker for each colour, drawn from its middle.
  const MARKERS = [
    "m-3.5 0a3.5 3.5 0 1 0 7 0a3.5 3.5 0 1 0-7 0",
    "m-3-3h6v6h-6z",
    "m0-4.2l4.2 4.2l-4.2 4.2l-4.2-4.2z",
    "m0-4.2l4 7h-8z",
    "m0 4.2l4-7h-8z",
    "m-1.3-4h2.6v2.7h2.7v2.6h-2.7v2.7h-2.6v-2.7h-2.7v-2.6h2.7z",
    "m-3.2-3.2l6.4 6.4m0-6.4l-6.4 6.4",
  ];

  const DOT = "m-2 0a2 2 0 1 0 4 0a2 2 0 1 0-4 0"; // of a line, between two gaps

  // Texts among the children become text nodes, so that a name is never read as markup.
  function build(node, attributes, children) {
    for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
    node.append(...children);
    return node;
  }

  const svg = (name, attributes, ...children) =>
    build(document.createElementNS(NAMESPACE, name), attributes, children);

  const html = (name, attributes, ...children) =>
    build(document.createElement(name), attributes, children);

  const path = (look, d) => svg("path", { class: look, d });

  const line = (x1, y1, x2, y2) => svg("line", { x1, y1, x2, y2 });

  // Series

  const KINDS = {
    // from the back to the front: the shapes of a series, and its sample in the legend
    band: { draw: drawBand, sample: () => path("band", "M0 0.5H22V11.5H0Z") },
    bars: { draw: drawBars, sample: () => path("bar", "M5 0.5H17V11.5H5Z") },
    line: { draw: drawLine, sample: () => path("line", "M0 6H22") },
    points: { draw: drawPoints, sample: (series) => path("point", `M11 6${markerOf(series)}`) },
  };

  const colourOf = (series) => (series.colour || 0) % MARKERS.length;

  const markerOf = (series) => MARKERS[colourOf(series)];

  const pixel = (value) => value.toFixed(1);

  const at = (x, y, axes) => `${pixel(axes.x.place(x))} ${pixel(axes.y.place(y))}`;

  const isPlaced = (x, y, axes) => Scales.isDrawn(x, axes.x.log) && Scales.isDrawn(y, axes.y.log);

  function look(series, ...children) {
    const weight = series.faint ? " faint" : series.thin ? " thin" : "";
    return svg("g", { class: `series${weight}`, "data-colour": colourOf(series) }, ...children);
  }

  // All series, those in the background first.
  function allSeries(list, axes) {
    const order = Object.keys(KINDS);
    const behind = (series) => (series.faint ? order.length : series.thin ? 0.5 : 0);
    const depth = (series) => order.indexOf(series.kind) - behind(series);
    const sorted = [...list].sort((one, other) => depth(one) - depth(other));
    return sorted.map((series) => look(series, ...KINDS[series.kind].draw(series, axes)));
  }

  // The small picture before a name.
  function glyph(list) {
    const parts = list.map((series) => look(series, KINDS[series.kind].sample(series)));
    return svg("svg", { class: "glyph", viewBox: "0 0 22 12", "aria-hidden": "true" }, ...parts);
  }

  // The indices of the points of each unbroken part of a line.
  function runs(series, columns, axes) {
    const isThere = (i) => columns.every((column) => isPlaced(series.x[i], column[i], axes));
    const found = [];
    let run = null;
    for (let i = 0; i < series.x.length; i += 1) {
      if (!isThere(i)) run = null;
      else if (run) run.push(i);
      else found.push((run = [i]));
    }
    return found;
  }

  function drawLine(series, axes) {
    const place = (i) => at(series.x[i], series.y[i], axes);
    const next = (i) => (series.step ? `H${place(i).replace(" ", "V")}` : `L${place(i)}`);
    const parted = runs(series, [series.y], axes);
    const joined = parted.map(([first, ...rest]) => `M${place(first)}${rest.map(next).join("")}`);
    const alone = parted.filter((run) => run.length === 1).map(([i]) => `M${place(i)}${DOT}`);
    return [path("line", joined.join("")), path("point", alone.join(""))];
  }

  function drawBand(series, axes) {
    const side = (run, values) => run.map((i) => at(series.x[i], values[i], axes));
    const areas = runs(series, [series.low, series.high], axes).map(
      (run) => `M${[...side(run, series.low), ...side(run, series.high).reverse()].join("L")}Z`
    );
    return [path("band", areas.join(""))];
  }

  function drawBars(series, axes) {
    const floor = pixel(axes.y.place(Math.max(0, axes.y.low))); // a log scale has no 0
    const bars = series.y.map((value, i) => {
      const edges = [series.x[i], series.x[i + 1]];
      if (!edges.every((edge) => isPlaced(edge, value, axes))) return "";
      const [left, right] = edges.map((edge) => pixel(axes.x.place(edge)));
      return `M${left} ${floor}V${pixel(axes.y.place(value))}H${right}V${floor}Z`;
    });
    return [path("bar", bars.join(""))];
  }

  function drawPoints(series, axes) {
    const paths = Array.from({ length: SHADES }, () => []);
    series.y.forEach((value, i) => {
      if (!isPlaced(series.x[i], value, axes)) return;
      const shade = Math.min(1, Math.max(0, series.shades?.[i] ?? 1));
      const marker = `M${at(series.x[i], value, axes)}${markerOf(series)}`;
      paths[Math.round((SHADES - 1) * shade)].push(marker);
    });
    const shown = paths.map((parts, shade) => {
      const point = path("point", parts.join(""));
      return series.shades ? shaded(point, shade / (SHADES - 1)) : point;
    });
    return [path("error", errorBars(series, axes)), ...shown.filter((_, i) => paths[i].length)];
  }

  // Fills a point with the colour of a shade, from 0 to 1.
  function shaded(point, shade) {
    point.classList.add("shaded");
    point.style.setProperty("--shade", `${100 * shade}%`);
    return point;
  }

  // Upright, or across the plot.
  function errorBars({ x, y, low, high, across }, axes) {
    if (!low) return "";
    const end = (i, ends) => (across ? [ends[i], y[i]] : [x[i], ends[i]]);
    const isWhole = (i) => [low, high].every((ends) => isPlaced(...end(i, ends), axes));
    const bar = (i) => `M${at(...end(i, low), axes)}L${at(...end(i, high), axes)}`;
    return x.map((_, i) => (isWhole(i) ? bar(i) : "")).join("");
  }

  // What the shades stand for: a dot of each shade before the figure's value.
  function keyOf({ label, texts }) {
    const dots = texts.map((text, i) => {
      const dot = shaded(path("point", `M11 6${MARKERS[0]}`), i / Math.max(1, texts.length - 1));
      const sample = svg("g", { class: "series", "data-colour": 6 }, dot);
      const box = { class: "glyph", viewBox: "0 0 22 12", "aria-hidden": "true" };
      return html("span", { class: "entry" }, svg("svg", box, sample), text);
    });
    return html("div", { class: "legend key" }, html("span", {}, label), ...dots);
  }

  // Axes

  const pen = document.createElement("canvas").getContext("2d");
  pen.font = "11.5px system-ui, sans-serif"; // as in charts.css

  const textWidth = (text) => pen.measureText(text).width;

  const widest = (ticks) => Math.max(0, ...ticks.map(({ text }) => textWidth(text)));

  // The height of a chart with room for each name that stands inside the plot.
  const heightOf = ({ y }, usual) => (y.inside ? 56 + PLACE * y.names.length : usual);

  // Both axes of a picture: their scales, their ticks and where the plot lies in it.
  function layOut({ x, y }, data, width, height) {
    const top = data.y.label ? 26 : 12;
    const yTicks = data.y.inside ? [] : data.y.names
      ? namedTicks(data.y.names, NAME_CHARACTERS[0])
      : Scales.ticks(y, Math.max(2, Math.floor(height / 40)));
    const left = Math.ceil(widest(yTicks)) + 12;
    const right = width - 14;
    const xTicks = placeTicks(x, data.x.names, right - left);
    const foot = (xTicks.slanted ? 0.8 * widest(xTicks) + 12 : 22) + (data.x.label ? 18 : 4);
    const bottom = height - Math.ceil(foot);
    const scales = { x: Scales.scale(x, left, right), y: Scales.scale(y, bottom, top) };
    return { ...scales, xTicks, yTicks, width, height };
  }

  function placeTicks(range, names, room) {
    if (!names) return Scales.ticks(range, Math.max(2, Math.floor(room / 75)));
    const places = namedTicks(names, Infinity);
    const seen = places.filter(({ value }) => value >= range.low && value <= range.high);
    if (widest(seen) < room / seen.length - LEVEL_ROOM) return seen;
    const most = NAME_CHARACTERS[Number(room > NARROW)];
    const short = seen.map(({ value, text }) => ({ value, text: cut(text, most) }));
    return Object.assign(short, { slanted: true });
  }

  // The places 0, 1, ... with their names, which may be cut.
  const namedTicks = (names, most) =>
    names.map((text, value) => ({ value, text: cut(String(text), most) }));

  const cut = (text, most) => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

  function grid({ x, y, xTicks, yTicks }, data) {
    const across = yTicks.map(({ value }) => line(x.from, y.place(value), x.to, y.place(value)));
    const down = data.x.names ? [] : xTicks;
    const upright = down.map(({ value }) => line(x.place(value), y.from, x.place(value), y.to));
    return svg("g", { class: "grid" }, ...across, ...upright);
  }

  function axisTexts(axes, data) {
    const { x, y, xTicks, yTicks, height } = axes;
    const yTexts = yTicks.map(({ value, text }) =>
      svg("text", { x: x.from - 7, y: y.place(value) + 4, "text-anchor": "end" }, text)
    );
    const middle = { x: (x.from + x.to) / 2, "text-anchor": "middle" };
    return [
      svg("g", { class: "axis" }, line(x.from, y.from, x.to, y.from)),
      svg("g", { class: "y-ticks" }, ...yTexts),
      svg("g", { class: "inside" }, ...(data.y.inside ? namesInside(data.y.names, axes) : [])),
      svg("g", { class: "x-ticks" }, ...xTicks.map((tick) => xText(tick, xTicks.slanted, axes))),
      svg("text", { class: "label", ...middle, y: height - 5 }, data.x.label || ""),
      svg("text", { class: "label", x: 0, y: 13 }, data.y.label || ""),
    ];
  }

  // Each above its place; one that is wider than the plot is cut, and is whole in its title.
  function namesInside(names, { x, y }) {
    return names.map((name, value) => {
      const most = Math.floor(((x.to - x.from - 8) * name.length) / textWidth(name));
      const place = { x: x.from + 4, y: y.place(value) - 10 };
      return svg("text", place, cut(name, most), svg("title", {}, name));
    });
  }

  function xText({ value, text }, slanted, { x, y, width }) {
    const place = x.place(value);
    if (slanted) {
      const turn = `translate(${place + 4} ${y.from + 14}) rotate(${-SLANT})`;
      return svg("text", { transform: turn, "text-anchor": "end" }, text);
    }
    const middle = Math.min(place, width - textWidth(text) / 2); // a long one keeps inside
    return svg("text", { x: middle, y: y.from + 17, "text-anchor": "middle" }, text);
  }

  // The dashed lines that are visible in the plot, with their labels.
  function marks(list, axes) {
    const isWithin = (value, { low, high }) => value >= low && value <= high;
    const isSeen = ({ x, y }) => (x === undefined ? isWithin(y, axes.y) : isWithin(x, axes.x));
    const seen = (list || []).filter(isSeen);
    return seen.map((mark, row) =>
      mark.x === undefined ? level(mark, axes) : upright(mark, axes, row)
    );
  }

  // Its label is on the left, where a learning curve is still low.
  function level({ y: value, label }, { x, y }) {
    const at = y.place(value);
    const place = { x: x.from + 4, y: at < y.to + 16 ? at + 14 : at - 5 };
    return svg("g", { class: "mark" }, line(x.from, at, x.to, at), svg("text", place, label || ""));
  }

  // Each label is below the previous one, as the lines may be close together.
  function upright({ x: value, label }, { x, y }, row) {
    const at = x.place(value);
    const isLeft = at < (x.from + x.to) / 2;
    const place = { x: at + (isLeft ? 5 : -5), y: y.to + 11 + 15 * row };
    const text = svg("text", { ...place, "text-anchor": isLeft ? "start" : "end" }, label || "");
    return svg("g", { class: "mark" }, line(at, y.from, at, y.to), text);
  }

  // The plot is clipped at its edges, with room for markers.
  function clip(id, { x, y }) {
    const [width, height] = [x.to - x.from + 4, y.from - y.to + 8];
    return svg("clipPath", { id }, svg("rect", { x: x.from - 2, y: y.to - 4, width, height }));
  }

  // The figures that a selector finds, with the data that they hold: [[figure, data], ...].
  const embedded = (selector) =>
    [...document.querySelectorAll(`${selector} > script[type="application/json"]`)].map(
      (script) => [script.parentNode, JSON.parse(script.textContent)]
    );

  function nothing(width, height) {
    const middle = { x: width / 2, y: height / 2, "text-anchor": "middle" };
    return svg("text", { class: "nothing", ...middle }, "nothing to show");
  }

  return {
    svg, html, embedded, line, colourOf, allSeries, glyph, keyOf, heightOf, layOut, grid, axisTexts,
    marks, clip, nothing,
  };
})();
