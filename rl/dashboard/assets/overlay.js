// The curves of the chosen runs in one chart.
"use strict";

(() => {
  const MOST = 24; // runs, as the server has it
  const COLOURS = 7; // of charts.css
  const place = document.querySelector("#overlay");
  const form = place.querySelector("form");
  const figure = place.querySelector("figure");
  const fields = form.elements;
  let latest = null; // answer
  let asking = 0; // the number of the latest question

  async function ask() {
    const names = [...RunList.chosen];
    place.hidden = names.length === 0;
    if (!names.length) return;
    const asked = new URLSearchParams(names.map((name) => ["name", name]));
    asked.set("quantity", fields.quantity.value);
    asked.set("lines", fields.lines.value);
    const number = (asking += 1);
    let answer;
    try {
      answer = await (await request(`${place.parentNode.dataset.curves}?${asked}`)).json();
    } catch (error) {
      complain([`The curves cannot be shown: ${error.message}.`]);
      return;
    }
    if (number !== asking) return; // another question came after it
    latest = answer;
    show();
  }

  function show() {
    const { chart, complaints, quantities } = latest;
    const lines = Object.entries(complaints).map(([name, why]) => `${name}: ${why}.`);
    const extra = RunList.chosen.size - MOST;
    if (extra > 0) lines.push(`Of ${MOST + extra} runs the first ${MOST} are drawn.`);
    complain(lines);
    const now = fields.quantity.value;
    fields.quantity.replaceChildren(...quantities.map(([name, title]) => new Option(title, name)));
    fields.quantity.value = now;
    if (!fields.quantity.value) fields.quantity.value = "evaluations";
    figure.querySelector("figcaption").firstChild.textContent = `${chart.title} `;
    const window = Number(fields.smooth.value);
    const smoothed = window ? [`Each point is the mean of ${2 * window + 1} neighbours.`] : [];
    const below = fields.logy.checked ? ["Values of 0 and less are not drawn."] : [];
    figure.querySelector("small").textContent = [chart.note, ...smoothed, ...below].join(" ");
    figure.setAttribute("aria-label", `${chart.title}. ${chart.description}`);
    drawChart(figure, changed(chart.data, window));
  }

  function complain(lines) {
    const said = place.querySelector(".complaints");
    said.textContent = lines.join(" ");
    said.hidden = !lines.length;
  }

  // The chart with smooth curves and the scales that were asked for.
  function changed(data, window) {
    const smooth = (series) => {
      const columns = ["y", "low", "high"].filter((name) => series[name]);
      return { ...series, ...Object.fromEntries(columns.map((name) => [name, mean(series[name], window)])) };
    };
    return {
      ...data,
      x: { ...data.x, log: fields.logx.checked },
      y: { ...data.y, log: fields.logy.checked },
      series: window ? data.series.map(smooth) : data.series,
    };
  }

  // The mean of each value and as many before as behind it, of fewer at the ends.
  function mean(values, window) {
    return values.map((_, i) => {
      const room = Math.min(window, i, values.length - 1 - i);
      const near = values.slice(i - room, i + room + 1).filter(Number.isFinite);
      return near.length ? near.reduce((sum, each) => sum + each, 0) / near.length : null;
    });
  }

  // All rows that are shown, or none of them.
  function chooseAll(box) {
    const names = RunList.shown().filter(({ curves }) => curves).map(({ name }) => name);
    if (box.checked) RunList.choose(names.slice(0, MOST), true);
    else RunList.choose([...RunList.chosen], false);
  }

  let known = ""; // the runs of the latest question

  function follow(changedRows) {
    const names = JSON.stringify([...RunList.chosen]);
    all.checked = RunList.chosen.size > 0;
    colour();
    if (names === known && !changedRows.some((name) => RunList.chosen.has(name))) return;
    known = names;
    ask();
  }

  // The box of a run has the colour of its curve.
  function colour() {
    const names = [...RunList.chosen];
    for (const row of document.querySelectorAll("#runs tbody tr")) {
      const box = row.querySelector(".choice input");
      const place = names.indexOf(JSON.parse(row.dataset.facts).name);
      const isOwn = fields.lines.value !== "setting" && place >= 0 && place < MOST;
      if (isOwn) box.dataset.colour = place % COLOURS;
      else box?.removeAttribute("data-colour");
    }
  }

  const all = document.createElement("input");
  all.type = "checkbox";
  all.setAttribute("aria-label", "overlay all that are shown");
  all.addEventListener("change", () => chooseAll(all));
  document.querySelector("#runs th.choice").append(all);
  document.querySelector("#runs").classList.add("choosing");
  form.addEventListener("submit", (event) => event.preventDefault());
  for (const name of ["quantity", "lines"]) {
    fields[name].addEventListener("input", () => {
      colour();
      ask();
    });
  }
  for (const name of ["smooth", "logx", "logy"]) {
    fields[name].addEventListener("input", () => latest && show());
  }
  fields.clear.addEventListener("click", () => RunList.choose([...RunList.chosen], false));
  RunList.listeners.push(follow);
  follow([]);
})();
