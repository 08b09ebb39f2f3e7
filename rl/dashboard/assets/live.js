// The list of runs, kept up to date.
"use strict";

(() => {
  const SECONDS = 3;
  let version = "";

  async function refresh() {
    const address = document.querySelector("main").dataset.rows;
    const answer = await (await request(`${address}?known=${version}`)).json();
    RunList.update(answer.changed, answer.order, answer.unread);
    ({ version } = answer);
    if (answer.unread) await refresh();
    return true;
  }

  poll(refresh, SECONDS);
})();
