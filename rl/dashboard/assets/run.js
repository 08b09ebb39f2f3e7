// A run that is followed: its charts and logs as they grow, and its latest episode.
"use strict";

(() => {
  const SECONDS = 2;
  const MILLISECONDS = 500; // between two questions whether the server has played an episode

  const { html } = Shapes;
  const find = (selector) => document.querySelector(selector);
  const addresses = find("main").dataset;
  const figures = new Map(); // of the charts, by their titles
  const texts = new Map(); // of the server, by their places
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

  // HTML that the server has made safe; what was scrolled sideways stays so.
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
      const caption = html("figcaption", {}, `${title} `, html("small", {}));
      const label = `${title}. ${description}`;
      figures.set(title, html("figure", { class: "chart", "aria-label": label }, caption));
      find("#charts").append(figures.get(title));
    }
    figures.get(title).querySelector("small").textContent = note;
    drawChart(figures.get(title), data);
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
      await new Promise((resolve) => setTimeout(resolve, MILLISECONDS));
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
