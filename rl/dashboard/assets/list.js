// The list of runs, kept up to date.
"use strict";

(() => {
  const SECONDS = 5;
  const rows = document.querySelector("#rows");
  let latest = null;

  async function refresh() {
    const text = await (await request(rows.dataset.address)).text();
    if (latest !== null && text !== latest) put(text);
    latest = text;
    return true;
  }

  // Rows that the server has made safe; a link that had the focus has it again.
  function put(text) {
    const address = (link) => link?.getAttribute("href");
    const focused = address(rows.querySelector("a:focus"));
    rows.innerHTML = text;
    const link = [...rows.querySelectorAll("a")].find((each) => address(each) === focused);
    link?.focus({ preventScroll: true });
  }

  poll(refresh, SECONDS);
})();
