// The view of one connection: who and when, its verdicts, and tabs with the drawings.

const TABS = [
  ["ladder", "Ladder", () => true, drawLadder],
  ["exchanges", "Exchanges", (connection) => conversations(connection).length, drawExchanges],
  ["sequence", "Time–sequence", () => true, drawSequence],
  ["tls", "TLS", (connection) => secured(connection).length, drawTls],
  ["facts", "Facts and faults", () => true, drawFacts],
  ["json", "JSON", () => true, drawJson],
];

let lastTab = "ladder";
let chooseTab = null; // of the connection that is shown

async function showConnection(row, wanted, { back, step }) {
  const root = byId("connection");
  const details = await detailsOf(row);
  if (!details) {
    root.replaceChildren(crumbs(back, step), el("h2", { id: "h-connection", tabindex: "-1" }, "Not in this report"), el("p", { class: "notice" }, "The report had no room for this connection. analyzer read --filter makes one of fewer connections."));
    return;
  }
  const { connection } = details;
  const tabs = TABS.filter(([, , has]) => has(connection));
  const chosen = tabs.some(([name]) => name === wanted) ? wanted : "ladder";
  const panel = el("div", { role: "tabpanel", id: "panel", tabindex: "0" });
  const list = el("div", { class: "tabs", role: "tablist", "aria-label": "Views of the connection" });
  const choose = (name, focus) => {
    lastTab = name;
    for (const button of list.children) {
      const mine = button.dataset.tab === name;
      button.setAttribute("aria-selected", String(mine));
      button.tabIndex = mine ? 0 : -1;
      if (mine && focus) button.focus();
    }
    panel.setAttribute("aria-labelledby", `tab-${name}`);
    panel.replaceChildren(tabs.find(([tab]) => tab === name)[3](details));
  };
  const pick = (name, focus) => {
    choose(name, focus);
    history.replaceState(null, "", `#c${row}/${name}`);
  };
  for (const [name, title] of tabs) {
    list.append(el("button", { type: "button", role: "tab", id: `tab-${name}`, "data-tab": name, "aria-controls": "panel", onclick: () => pick(name, false) }, title));
  }
  list.addEventListener("keydown", (event) => {
    const at = tabs.findIndex(([name]) => name === lastTab);
    const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    pick(tabs[(next + tabs.length) % tabs.length][0], true);
  });
  chooseTab = (name) => tabs.some(([tab]) => tab === name) && choose(name, false);
  root.replaceChildren(crumbs(back, step), heading(connection), badges(connection), list, panel);
  choose(chosen, false);
}

function crumbs(back, step) {
  return el("div", { class: "crumbs" }, el("button", { type: "button", onclick: back, id: "back" }, "← All connections"), el("button", { type: "button", class: "push", onclick: () => step(-1) }, "‹ Previous"), el("button", { type: "button", onclick: () => step(1) }, "Next ›"));
}

function heading(connection) {
  const filter = connection.tcp_stream === null ? null : `tcp.stream eq ${connection.tcp_stream}`;
  return el(
    "div", {},
    el("h2", { class: "title", id: "h-connection", tabindex: "-1" }, el("span", { class: "id" }, `#${connection.id} `), `${endpoint(connection.client)} → ${endpoint(connection.server)}`),
    el(
      "p", { class: "under" }, report.several && el("span", {}, visible(connection.capture)), el("span", {}, clock(connection.start)), el("span", {}, duration(connection.duration_ns)),
      el("span", {}, `${plural(connection.packets.client + connection.packets.server, "packet")} `, packets(connection.first_packet, connection.last_packet)),
      el("span", {}, `${bytes(connection.payload_bytes.client)} sent, ${bytes(connection.payload_bytes.server)} received`),
      filter && el("span", {}, copyable(filter, filter)),
    ),
  );
}

function badges(connection) {
  const items = verdictsOf(connection).map(([title, , verdict]) => [title, verdict]);
  if (connection.lifecycle) items.push(["Whole life", connection.lifecycle]);
  return el("ul", { class: "badges", "aria-label": "Verdicts" }, items.map(([title, verdict]) => {
    const outcome = outcomeOf(verdict);
    return el("li", { class: `badge ${className(outcome)}`, title: `${outcome}: ${report.outcomes[outcome]}` }, el("span", {}, title), `${report.marks[outcome]} ${verdictWord(verdict)}`);
  }));
}
