// The list of runs: found by words and properties, sorted, and shown in parts.
"use strict";

const RunList = (() => {
  const PART = 100; // rows more at a time
  const PROPERTIES = ["problem", "agent", "state", "tag"];
  const RISING = new Set(["title", "state"]); // what is sorted from A to Z at first
  const texts = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

  const find = (selector) => document.querySelector(selector);
  const body = find("#runs tbody");
  const fields = find("#controls").elements;
  const rows = new Map(); // {node, facts} by the name of the run
  const chosen = new Set(); // names, in the order in which they were chosen
  const listeners = []; // are called with the names of the rows that have changed
  let unread = 0; // runs that the server has not read yet
  let most = PART; // rows that are shown
  let isDown = true;

  // Rows as the server has made them safe: [[name, HTML], ...], the names of all, and how many
  // are to follow.
  function update(changed, order, count) {
    unread = count;
    const template = document.createElement("template");
    for (const [name, text] of changed) {
      template.innerHTML = text;
      add(name, template.content.querySelector("tr"));
    }
    const there = order && new Set(order);
    const gone = there ? [...rows.keys()].filter((name) => !there.has(name)) : [];
    for (const name of gone) rows.delete(name);
    if (changed.length || order) {
      offer();
      show([...changed.map(([name]) => name), ...gone]);
    }
  }

  function add(name, node) {
    const facts = JSON.parse(node.dataset.facts);
    const box = node.querySelector(".choice input");
    if (box) box.checked = chosen.has(name);
    box?.addEventListener("change", () => choose([name], box.checked));
    rows.set(name, { node, facts });
  }

  // What is shown

  const valuesOf = ({ facts }, name) => (name === "tag" ? facts.tags || [] : [facts[name]]);

  function found() {
    const words = fields.words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const asked = PROPERTIES.filter((name) => fields[name].value);
    const fits = (row) =>
      words.every((word) => row.facts.words.includes(word)) &&
      asked.every((name) => valuesOf(row, name).includes(fields[name].value));
    return [...rows.values()].filter(fits).sort(comparison(fields.sort.value));
  }

  // Rows without a value come last either way; of equal ones the newest comes first.
  function comparison(name) {
    const way = isDown ? -1 : 1;
    const key = ({ facts }) => facts[name];
    const compare = (one, other) => (typeof one === "string" ? texts.compare(one, other) : one - other);
    return (one, other) => {
      const [a, b] = [key(one), key(other)];
      const empty = Number(a === undefined) - Number(b === undefined);
      const known = a === undefined || b === undefined ? 0 : way * compare(a, b);
      return empty || known || other.facts.started - one.facts.started;
    };
  }

  function show(changed = []) {
    const all = found();
    const part = all.slice(0, most);
    put(part.map(({ node }) => node));
    find("#none").hidden = rows.size > 0;
    find("#controls").hidden = find("#count").hidden = rows.size === 0;
    const further = find("#further");
    further.hidden = part.length === all.length;
    further.textContent = `show ${Math.min(PART, all.length - part.length)} more`;
    const number = (count) => count.toLocaleString("en");
    const of = all.length < rows.size ? ` of ${number(rows.size)}` : "";
    const more = unread ? `; ${number(unread)} more are being read` : "";
    const runs = rows.size === 1 ? "run" : "runs";
    find("#count").textContent = `${number(all.length)}${of} ${runs}${more}`;
    for (const head of document.querySelectorAll("#runs th[data-sort]")) {
      head.removeAttribute("aria-sort");
      if (head.dataset.sort !== fields.sort.value) continue;
      head.setAttribute("aria-sort", isDown ? "descending" : "ascending");
    }
    fields.turn.textContent = isDown ? "↓" : "↑";
    remember();
    for (const listen of listeners) listen(changed);
  }

  // A link or a box that had the focus has it again.
  function put(nodes) {
    const now = [...body.children];
    if (now.length === nodes.length && now.every((node, i) => node === nodes[i])) return;
    const active = document.activeElement;
    const row = body.contains(active) ? active.closest("tr") : null;
    body.replaceChildren(...nodes);
    if (!row) return;
    const { node } = rows.get(JSON.parse(row.dataset.facts).name) || {};
    node?.querySelector(active.localName)?.focus({ preventScroll: true });
  }

  // The values of each property that can be asked for.
  function offer() {
    for (const name of PROPERTIES) {
      const values = new Set([...rows.values()].flatMap((row) => valuesOf(row, name)));
      const asked = fields[name].value || wanted.get(name);
      if (asked) values.add(asked);
      values.delete(undefined);
      const options = [...values].sort(texts.compare).map((value) => new Option(value, value));
      fields[name].replaceChildren(new Option("any", ""), ...options);
      fields[name].value = asked || "";
      fields[name].parentNode.hidden = values.size < 2 && !asked;
    }
  }

  function sortBy(name) {
    isDown = fields.sort.value === name ? !isDown : !RISING.has(name);
    fields.sort.value = name;
    show();
  }

  // Runs that are chosen

  function choose(names, isChosen) {
    for (const name of names) {
      if (isChosen) chosen.add(name);
      else chosen.delete(name);
      const box = rows.get(name)?.node.querySelector(".choice input");
      if (box) box.checked = isChosen;
    }
    show();
  }

  const shown = () => found().slice(0, most).map(({ facts }) => facts);

  const facts = (name) => rows.get(name)?.facts;

  // The address keeps what is asked for, so that it can be kept or sent.

  const wanted = new URLSearchParams(location.hash.slice(1));

  function remember() {
    const said = new URLSearchParams();
    for (const name of ["words", ...PROPERTIES]) {
      if (fields[name].value) said.set(name, fields[name].value);
    }
    const order = `${isDown ? "" : "-"}${fields.sort.value}`;
    if (order !== "started") said.set("sort", order);
    for (const name of chosen) said.append("run", name);
    const hash = said.size ? `#${said}` : location.pathname + location.search;
    if (`#${said}` !== (location.hash || "#")) history.replaceState(null, "", hash);
  }

  function recall() {
    fields.words.value = wanted.get("words") || "";
    const order = wanted.get("sort") || "started";
    isDown = !order.startsWith("-");
    fields.sort.value = order.replace("-", "");
    if (!fields.sort.value) fields.sort.value = "started";
    for (const name of wanted.getAll("run")) chosen.add(name);
  }

  function listen() {
    const again = () => {
      most = PART;
      show();
    };
    find("#controls").addEventListener("submit", (event) => event.preventDefault());
    for (const name of ["words", ...PROPERTIES]) fields[name].addEventListener("input", again);
    fields.sort.addEventListener("input", () => {
      isDown = !RISING.has(fields.sort.value);
      show();
    });
    fields.turn.addEventListener("click", () => sortBy(fields.sort.value));
    find("#further").addEventListener("click", () => {
      most += PART;
      show();
    });
    body.addEventListener("click", ({ target }) => {
      if (target.dataset.tag === undefined) return;
      fields.tag.value = fields.tag.value === target.dataset.tag ? "" : target.dataset.tag;
      again();
    });
    for (const head of document.querySelectorAll("#runs th[data-sort]")) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sortBy(head.dataset.sort));
      head.append(button);
    }
  }

  recall();
  for (const node of [...body.children]) add(JSON.parse(node.dataset.facts).name, node);
  offer();
  wanted.forEach((_, name) => name !== "run" && wanted.delete(name));
  listen();
  show();
  return { update, choose, chosen, shown, facts, listeners };
})();
