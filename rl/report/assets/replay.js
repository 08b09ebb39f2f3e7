// The player of an episode: the picture of each frame, and beside it what the agent thought.
"use strict";

(() => {
  const SPEEDS = [0.5, 1, 2];
  const LONG = 1e15; // a number that nobody reads digit by digit
  const LONGEST = 250; // ms that may pass at once, so that a hidden page does not leap ahead

  const { html } = Shapes;

  class Replay {
    constructor(figure, data) {
      this.data = data;
      this.frame = 0;
      this.speed = 1;
      this.isPlaying = false;
      this.picture = pictureOf(data, figure.getAttribute("aria-label") || "");
      this.step = html("b", {});
      this.total = html("b", {});
      this.value = data.values && html("b", {});
      this.bars = data.names.map(barRow);
      this.scale = scaleRow();
      this.widest = widestOf(data.bars);
      this.makeControls();
      figure.append(html("div", { class: "stage" }, this.picture, this.panel()), this.controls);
      this.show(0);
      this.onPaper();
    }

    // What is printed is the end of the episode.
    onPaper() {
      let seen = 0;
      window.addEventListener("beforeprint", () => {
        seen = this.frame;
        this.show(this.data.frames - 1);
      });
      window.addEventListener("afterprint", () => this.show(seen));
    }

    panel() {
      const figures = [figure("return", this.total), figure("step", this.step)];
      if (this.value) figures.push(figure("V", this.value));
      return html("div", { class: "panel" },
        html("dl", { class: "figures" }, ...figures),
        html("div", { class: "bars" }, html("div", { class: "title" }, this.data.title),
          ...this.bars.map(({ row }) => row), this.scale.row)
      );
    }

    makeControls() {
      this.button = html("button", { type: "button", class: "play" });
      this.button.addEventListener("click", () => this.toggle());
      const last = this.data.frames - 1;
      const range = { type: "range", min: 0, max: last, step: 1, value: 0 };
      this.slider = html("input", { ...range, "aria-label": "frame" });
      this.slider.addEventListener("input", () => this.show(Number(this.slider.value)));
      this.slider.addEventListener("keydown", (event) => this.type(event));
      this.speeds = SPEEDS.map((speed) => this.speedButton(speed));
      const group = { class: "speeds", role: "group", "aria-label": "speed" };
      const speeds = html("div", group, ...this.speeds);
      this.controls = html("div", { class: "controls" }, this.button, this.slider, speeds);
      this.label();
    }

    speedButton(speed) {
      const pressed = { "aria-pressed": speed === this.speed };
      const button = html("button", { type: "button", ...pressed }, `${speed}×`);
      button.addEventListener("click", () => {
        this.speed = speed;
        this.speeds.forEach((each) => each.setAttribute("aria-pressed", each === button));
      });
      return button;
    }

    // The arrows are the slider's own.
    type(event) {
      if (event.key !== " ") return;
      event.preventDefault();
      this.toggle();
    }

    label() {
      this.button.setAttribute("aria-label", this.isPlaying ? "pause" : "play");
      this.button.classList.toggle("playing", this.isPlaying);
    }

    toggle() {
      this.isPlaying = !this.isPlaying;
      this.label();
      if (!this.isPlaying) return;
      if (this.frame === this.data.frames - 1) this.show(0);
      this.spare = 0; // seconds that have passed since the frame's turn
      this.latest = performance.now();
      requestAnimationFrame((now) => this.tick(now));
    }

    tick(now) {
      if (!this.isPlaying) return;
      this.spare += (Math.min(LONGEST, Math.max(0, now - this.latest)) / 1000) * this.speed;
      this.latest = now;
      const passed = Math.floor(this.spare / this.data.seconds);
      this.spare -= passed * this.data.seconds;
      if (passed) this.show(Math.min(this.data.frames - 1, this.frame + passed));
      if (this.frame === this.data.frames - 1) this.toggle();
      else requestAnimationFrame((later) => this.tick(later));
    }

    show(frame) {
      const { data } = this;
      this.frame = frame;
      this.slider.value = frame;
      this.slider.setAttribute("aria-valuetext", `step ${data.steps[frame]}`);
      this.picture.style.backgroundPosition = placeOf(frame, data);
      this.step.textContent = data.steps[frame].toLocaleString("en");
      this.total.textContent = written(data.returns[frame], 1);
      if (this.value) this.value.textContent = written(data.values[frame], 2);
      this.showBars(data.bars[frame], data.chosen ? data.chosen[frame] : null);
    }

    // As in the panel of `rl watch`: the values of a state's actions are similar, so that without
    // a span a bar shows how far one is above the least, and the gap how far below the greatest.
    showBars(values, chosen) {
      const [lowest, highest] = extremesOf(values);
      const [low, high] = this.data.span || [lowest, lowest + this.widest];
      const zero = this.data.span ? share(0, low, high) : 0;
      this.scale.low.textContent = written(low, 2);
      this.scale.high.textContent = written(high, 2);
      this.bars.forEach(({ row, bar, number, gap }, i) => {
        const ends = [zero, share(values[i] ?? low, low, high)].sort((one, other) => one - other);
        bar.style.left = `${100 * ends[0]}%`;
        bar.style.width = `${100 * (ends[1] - ends[0])}%`;
        number.textContent = written(values[i], 2);
        gap.textContent = this.data.span ? "" : below(values[i], highest);
        row.classList.toggle("chosen", [chosen].flat().includes(i));
      });
    }
  }

  // A sheet of frames, of which one is visible; as wide as there is room.
  function pictureOf(data, label) {
    const picture = html("div", { class: "picture", role: "img", "aria-label": label });
    const rows = Math.ceil(data.frames / data.columns);
    Object.assign(picture.style, {
      aspectRatio: `${data.width} / ${data.height}`,
      backgroundImage: `url("${data.sheet}")`,
      backgroundSize: `${100 * data.columns}% ${100 * rows}%`,
      maxWidth: `${data.width}px`,
    });
    return picture;
  }

  // In per cent of the way to the last column and row, as CSS wants it.
  function placeOf(frame, { frames, columns }) {
    const rows = Math.ceil(frames / columns);
    const part = (place, count) => (count > 1 ? (100 * place) / (count - 1) : 0);
    return `${part(frame % columns, columns)}% ${part(Math.floor(frame / columns), rows)}%`;
  }

  const figure = (label, value) => html("div", {}, html("dt", {}, label), html("dd", {}, value));

  function barRow(name) {
    const bar = html("div", { class: "bar" });
    const number = html("span", { class: "number" });
    const track = html("div", { class: "track" }, bar);
    const label = html("span", { class: "name" }, name);
    const gap = html("span", { class: "gap" });
    return { row: html("div", { class: "row" }, label, track, number, gap), bar, number, gap };
  }

  // The ends of the scale that the bars are drawn on, below them.
  function scaleRow() {
    const [low, high] = [html("span", {}), html("span", {})];
    const ends = html("span", { class: "ends" }, low, high);
    return { row: html("div", { class: "row scale" }, html("span", {}), ends), low, high };
  }

  const below = (value, highest) =>
    value === null || value === highest ? "" : `−${written(highest - value, 2)}`;

  // The greatest difference between two values of a frame.
  function widestOf(bars) {
    return Math.max(...bars.map(extremesOf).map(([low, high]) => high - low));
  }

  // Null is the value of an action that is not allowed.
  const extremesOf = (values) => Scales.extremes(values.filter((value) => value !== null));

  // Where a value lies between two others, clipped to 0 to 1.
  function share(value, low, high) {
    return high > low ? Math.min(1, Math.max(0, (value - low) / (high - low))) : 0;
  }

  // Null stands for what was not finite. Whatever its scale, a value has digits to read.
  function written(value, decimals) {
    if (!Number.isFinite(value)) return "–";
    if (Math.abs(value) >= LONG) return value.toExponential(3).replace("-", "−");
    const size = Math.abs(value);
    const places = size < 10 ? 2 : decimals;
    const digits =
      0 < size && size < 0.1
        ? { maximumSignificantDigits: 3 }
        : { minimumFractionDigits: places, maximumFractionDigits: places };
    return value.toLocaleString("en", { ...digits, signDisplay: "negative" }).replace("-", "−");
  }

  // Puts a player into a figure.
  window.makeReplay = (figure, data) => new Replay(figure, data);
  for (const [figure, data] of Shapes.embedded("figure.replay")) makeReplay(figure, data);
})();
