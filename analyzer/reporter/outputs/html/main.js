// The page as a whole: what is shown is in the address (#c12/ladder), so that the browser's back button works.

let table = null;
let opened = -1;

function theme() {
  const button = byId("theme");
  const asked = matchMedia("(prefers-color-scheme: dark)");
  const set = (dark) => {
    document.documentElement.dataset.theme = dark ? "dark" : "light";
    button.setAttribute("aria-pressed", String(dark));
  };
  set(asked.matches);
  asked.addEventListener("change", () => set(asked.matches));
  button.addEventListener("click", () => set(button.getAttribute("aria-pressed") !== "true"));
}

function chips() {
  const counts = {};
  for (const worst of report.columns.worst || []) counts[report.texts[worst]] = (counts[report.texts[worst]] || 0) + 1;
  return Object.keys(report.marks).filter((outcome) => counts[outcome]).map((outcome) => {
    const button = el("button", { type: "button", "aria-pressed": "false", title: report.outcomes[outcome] }, el("span", { class: `mark ${className(outcome)}`, "aria-hidden": "true" }, report.marks[outcome]), `${outcome} ${count(counts[outcome])}`);
    button.addEventListener("click", () => {
      table.toggle(outcome);
      button.setAttribute("aria-pressed", String(table.wanted.has(outcome)));
      found();
    });
    return button;
  });
}

function found() {
  byId("found").textContent = table.order.length === report.count ? plural(report.count, "connection") : `${count(table.order.length)} of ${plural(report.count, "connection")}`;
}

async function show() {
  const match = /^#c(\d+)(?:\/(\w+))?$/.exec(location.hash);
  const row = match ? Number(match[1]) : -1;
  const home = byId("home");
  const one = byId("connection");
  if (row < 0 || row >= report.count) {
    const before = opened;
    [one.hidden, home.hidden, opened] = [true, false, -1];
    if (before >= 0) {
      const place = table.order.indexOf(before);
      byId("connections").scrollIntoView();
      if (place >= 0) table.focus(place);
    }
    if (location.hash.length > 1 && byId(location.hash.slice(1))) byId(location.hash.slice(1)).scrollIntoView();
    return;
  }
  if (row === opened) {
    if (match[2] && match[2] !== lastTab) chooseTab(match[2]);
    return;
  }
  opened = row;
  await showConnection(row, match[2] || lastTab, { back, step });
  [home.hidden, one.hidden] = [true, false];
  scrollTo(0, 0);
  byId("h-connection").focus({ preventScroll: true });
}

function back() {
  location.hash = "connections";
}

function step(by) {
  const place = table.order.indexOf(opened) + by;
  if (place >= 0 && place < table.order.length) location.hash = `c${table.order[place]}`;
  else say(by > 0 ? "This is the last one" : "This is the first one");
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = /^(INPUT|TEXTAREA)$/.test(event.target.tagName);
  if (event.key === "/" && !typing) {
    event.preventDefault();
    if (opened >= 0) back();
    setTimeout(() => byId("search").focus());
  } else if (event.key === "Escape") {
    if (opened >= 0) back();
    else if (typing && event.target.value) {
      event.target.value = "";
      event.target.dispatchEvent(new Event("input"));
    }
  } else if (typing && event.key === "ArrowDown") {
    event.preventDefault();
    table.focus(0);
  } else if (typing && event.key === "Enter" && table.order.length) location.hash = `c${table.order[0]}`;
}

function fail(problem) {
  const place = byId("problem");
  place.textContent = `The connections cannot be shown: ${problem.message}`;
  place.hidden = false;
}

async function main() {
  theme();
  linkWithin(document);
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button.dataset.copy);
  });
  document.addEventListener("keydown", keys);
  addEventListener("beforeprint", () => {
    for (const one of document.querySelectorAll("#overview details")) one.open = true;
  });
  await loadReport();
  table = new ConnectionTable(byId("table"), (row) => (location.hash = `c${row}`));
  byId("chips").replaceChildren(...chips());
  let waiting = 0;
  byId("search").addEventListener("input", (event) => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      table.search(event.target.value);
      found();
    }, 60);
  });
  found();
  // One after the other: unpacking takes time, and the next wish may come meanwhile.
  let showing = show();
  addEventListener("hashchange", () => (showing = showing.then(show).catch(fail)));
  await showing;
  document.documentElement.dataset.ready = "true";
}

main().catch(fail);
