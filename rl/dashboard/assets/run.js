// A run that is followed: its charts and its logs as they grow, and its latest episode.
"use strict";

(() => {
  const SECONDS = 2;
  const MILLISECONDS_OF_PLAYING = 500; // between two questions whether an episode has been played

  const find = (selector) => document.querySelector(selector);
  const addresses = find("main").dataset;
  const figures = new Map(); // of the charts, by their titles
  const texts = new Map(); // of what the server has put into words, by their places
  const html = (...parts) => Shapes.html(...parts);
  let stamp = null; // of what is shown
  let newest = null; // the policy that could play an episode
  let policy = null; // that played the one shown

  async function follow() {
    const answer = await request(addresses.data);
    const isNew = answer.headers.get("ETag") !== stamp;
    const seen = await answer.json();
    if (isNew) show(seen);
    stamp = answer.headers.get("ETag");
    return !seen.ended;
  }

  function show(seen) {
    if (seen.policy && !addresses.episode) location.reload(); // its first session has begun
    document.title = document.title.replace(/^.*? · /, `${seen.state} · `);
    put("#head", seen.head);
    put("#logs", seen.logs);
    seen.charts.forEach(showChart);
    newest = seen.policy;
    if (addresses.episode) offer();
  }

  // Texts that the server has made safe; what was scrolled to stays in sight.
  function put(selector, text) {
    const place = find(selector);
    if (texts.get(selector) === text) return;
    texts.set(selector, text);
    const scrolled = [...place.querySelectorAll(".scroll")].map((each) => each.scrollLeft);
    place.innerHTML = text;
    place.querySelectorAll(".scroll").forEach((each, i) => (each.scrollLeft = scrolled[i] || 0));
  }

  function showChart({ title, note, description, data }) {
    if (!figures.has(title)) {
      figures.set(title, chartFigure(title, `${title}. ${description}`));
      find("#charts").append(figures.get(title));
    }
    figures.get(title).querySelector("small").textContent = note;
    drawChart(figures.get(title), data);
  }

  function chartFigure(title, label) {
    const caption = html("figcaption", {}, `${title} `, html("small", {}));
    return html("figure", { class: "chart", "aria-label": label }, caption);
  }

  // The episode

  let isPlaying = false; // the server plays

  // The first policy is played at once; for a newer one there is a button.
  function offer() {
    if (isPlaying || newest === null || newest === policy) return;
    if (policy === null) play(false);
    else find("#newer").hidden = false;
  }

  async function play(isWanted) {
    isPlaying = true;
    find("#newer").hidden = true;
    say("The latest policy plays an episode …");
    try {
      showEpisode(await played(), isWanted);
    } catch (error) {
      policy = newest; // which is not tried again
      say(`The episode cannot be shown: ${error.message}.`);
    }
    isPlaying = false;
    offer();
  }

  async function played() {
    let address = addresses.episode;
    for (;;) {
      const answer = await request(address);
      const found = await answer.json();
      if (answer.status !== 202) return found;
      address = `${addresses.episode}&policy=${encodeURIComponent(found.policy)}`;
      await new Promise((resolve) => setTimeout(resolve, MILLISECONDS_OF_PLAYING));
    }
  }

  function showEpisode({ policy: by, reason, title, description, data }, isWanted) {
    policy = by;
    find("figure.replay")?.remove();
    say(reason ? `Not to be had: ${reason}.` : "");
    if (reason) return;
    const caption = html("figcaption", {}, title);
    const figure = html("figure", { class: "replay", "aria-label": description }, caption);
    find("#episode").append(figure);
    makeReplay(figure, data);
    if (isWanted) figure.querySelector(".play").click();
  }

  function say(text) {
    find("#said").textContent = text;
    find("#said").hidden = !text;
  }

  find("#newer")?.addEventListener("click", () => play(true));
  if (addresses.episode) say("The session has saved no policy yet.");
  poll(follow, SECONDS);
})();
