// The ladder of a connection: client left, server right, time running down, and beside each message what is documented.

const SAID = {
  matched: ["✓", "as documented"],
  again: ["↺", "sent again"],
  unexpected: ["✗", "not in this flow"],
  missing: ["✗", "missing"],
  "to-come": ["…", "had not come when the capture ended"],
  "not-compared": ["", ""],
};
const NOTICED_SHOWN = 200;
const PAUSE_SHARE = 0.15; // of the connection's duration: silence as long is drawn

// The verdicts of a connection that have a ladder of their own, in the order in which they happen.
function verdictsOf(connection) {
  const found = [["TCP opening", "open", connection.open]];
  const inner = (prefix, within, tls, http) => {
    (tls ? tls.handshakes : []).forEach((one, at) => found.push([`TLS handshake${within}`, `${prefix}tls.handshakes.${at}`, one]));
    if (http) found.push([`${http.version || "HTTP"}${within}`, `${prefix}http.connection`, http.connection]);
  };
  const { tunnel } = connection;
  const same = (a, b) => a && b && JSON.stringify(a) === JSON.stringify(b);
  inner("", "", tunnel && same(tunnel.tls, connection.tls) ? null : connection.tls, tunnel && same(tunnel.http, connection.http) ? null : connection.http);
  if (tunnel) inner("tunnel.", ` after ${visible(tunnel.after)}`, tunnel.tls, tunnel.http);
  found.push(["TCP close", "close", connection.close]);
  return found;
}

function drawLadder(details) {
  const { connection } = details;
  const table = ladderTable(connection);
  let last = null;
  for (const [title, path, verdict] of verdictsOf(connection)) {
    const group = el("tbody", {}, groupHead(title, verdict));
    last = rungs(group, verdict, details.rungs[path] || [], last, connection.duration_ns);
    table.append(group);
  }
  const noticed = details.segments && noticedRows(details.segments, connection.notes.duplicates);
  if (noticed) table.append(noticed);
  return el("div", { class: "scrolls" }, legendOfLadder(), table);
}

// The ladder of a single verdict: a stream of HTTP/2.
function drawVerdict(details, title, path, verdict) {
  const table = ladderTable(details.connection);
  const group = el("tbody", {}, groupHead(title, verdict));
  rungs(group, verdict, details.rungs[path] || [], null, Infinity);
  table.append(group);
  return table;
}

function ladderTable(connection) {
  const ends = el("span", { class: "ends" }, el("b", { title: endpoint(connection.client) }, "Client"), el("b", { title: endpoint(connection.server) }, "Server"));
  return el(
    "table", { class: "ladder" },
    el("colgroup", {}, ["p", "t", "m", "d"].map((name) => el("col", { class: name }))),
    el("thead", {}, el("tr", {}, el("th", { scope: "col", class: "num" }, "Packet"), el("th", { scope: "col", class: "num t" }, "Time"), el("th", { scope: "col" }, ends), el("th", { scope: "col" }, "As documented"))),
  );
}

function legendOfLadder() {
  const items = ["matched", "unexpected", "missing", "to-come", "again"].map((name) => el("li", {}, `${SAID[name][0]} ${SAID[name][1]}`));
  return el("ul", { class: "key", "aria-label": "Marks" }, items);
}

function groupHead(title, verdict) {
  const outcome = outcomeOf(verdict);
  const page = report.flows[verdict.flow];
  const nearest = verdict.divergence && verdict.divergence.nearest;
  const why = [];
  if (verdict.cause) why.push(`${verdict.cause}: ${report.causes[verdict.cause]}. `);
  if (verdict.divergence) {
    const { side, saw, packet: number, expected, edits } = verdict.divergence;
    why.push(`Packet ${number}: ${side} ${visible(saw)}, which no documented flow allows here`, expected.length ? `; expected: ${expected.map(visible).join(" or ")}. ` : ". ");
    if (nearest) why.push(`Nearest is ${visible(nearest)}${report.flows[nearest] ? ` (${report.flows[nearest].title})` : ""}: ${edits.map(visible).join(", ") || "no difference"}. `);
  }
  if (verdict.differs.length) why.push(`Differs: ${verdict.differs.map(visible).join("; ")}. `);
  const described = page || report.flows[nearest];
  const standard = verdict.standard || (nearest && report.flows[nearest] && report.flows[nearest].standard);
  return el(
    "tr", { class: "group" },
    el(
      "th", { colspan: "4", scope: "rowgroup" }, el("b", {}, title), " ", mark(outcome), " ",
      el("span", { class: className(outcome) }, verdictWord(verdict)),
      standard ? [" (", verdict.drawn_in_article ? `${verdict.drawn_in_article}, ` : "", linked(standard), ")"] : "",
      why.length ? el("span", { class: "why" }, why) : "",
      described && el("details", { class: "why" }, el("summary", {}, `What is documented: ${described.title}`), described.prose.split("\n\n").map((text) => el("p", {}, linked(text.replace(/[`*]/g, "").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/\s+/g, " "))))),
    ),
  );
}

// The rows of a verdict; the time of the last one, so that silence between two verdicts is drawn, too.
function rungs(group, verdict, list, last, whole) {
  for (const [kind, side, name, at, drawn, block] of list) {
    const step = at === null ? null : verdict.steps[at];
    if (step) {
      if (last !== null && step.at_ns - last > PAUSE_SHARE * whole && step.at_ns - last > 1e6) group.append(pause(step.at_ns - last));
      last = step.at_ns;
    }
    group.append(rung(kind, side, name, step, drawn, block, diverges(verdict, step)));
  }
  return last;
}

function diverges(verdict, step) {
  const found = verdict.divergence;
  return Boolean(found && step && found.packet === step.packet && found.side === step.side && found.saw === step.step);
}

function rung(kind, side, name, step, drawn, block, here) {
  const [sign, meaning] = SAID[kind];
  const classes = [`r-${kind}`, step && step.seen !== "observed" && "r-hidden"].filter(Boolean).join(" ");
  const beside = el("td", { class: "drawn" }, sign && el("span", { class: "verdict", title: meaning, role: "img", "aria-label": meaning }, here ? "✗" : sign));
  if (here) beside.append(el("b", {}, "diverged here "));
  if (["unexpected", "missing", "to-come", "again"].includes(kind) && !here) beside.append(`${meaning} `);
  if (drawn && drawn !== name) beside.append(el("code", {}, visible(drawn)), " ");
  if (block) beside.append(el("small", {}, `in “${visible(block)}” `));
  if (step && step.seen !== "observed") beside.append(el("small", {}, step.seen === "hidden" ? "encrypted: only its record was seen" : "inferred from the record’s place and size"));
  return el(
    "tr", { class: classes },
    el("td", { class: "p" }, step ? packets(step.packet, step.last_packet) : "–"),
    el("td", { class: "t" }, step ? since(step.at_ns) : ""),
    el("td", { class: "m" }, arrow(side, visible(name) + (step && step.times > 1 ? ` ×${count(step.times)}` : ""))),
    beside,
  );
}

function arrow(side, text) {
  const from = side ? `${side} to ${side === "client" ? "server" : "client"}: ` : "";
  return el("div", { class: "life" }, el("div", { class: `arrow ${side || "ref"}` }, el("b", { title: text }, el("span", { class: "sr" }, from), text)));
}

function pause(ns) {
  return el("tr", { class: "pause" }, el("td", {}), el("td", { class: "t" }), el("td", { class: "m" }, el("div", { class: "life" }, el("span", {}, `${duration(ns)} later`))), el("td", {}));
}

// Retransmissions, gaps and resets that no verdict is about: what TCP noticed on the way.
function noticedRows(segments, copies) {
  const words = {
    [report.notes.retransmission]: ["↺", "retransmission", "RFC 9293 §3.8.1"],
    [report.notes.outOfOrder]: ["⇅", "out of order: overtaken on the way", "RFC 9293 §3.4"],
    [report.notes.afterGap]: ["▢", "bytes before it are not in the capture, or came later", "RFC 9293 §3.4"],
    [report.notes.keepAlive]: ["♥", "keep-alive", "RFC 9293 §3.8.4"],
  };
  const found = [];
  for (let at = 0; at < segments.count; at++) if (words[segments.note[at]]) found.push(at);
  if (!found.length && !copies) return null;
  const group = el("tbody", {}, el("tr", { class: "group" }, el("th", { colspan: "4", scope: "rowgroup" }, el("b", {}, "Noticed on the way "), plural(found.length, "segment"), el("span", { class: "why" }, "Retransmissions, gaps and keep-alives, as TCP’s sequence numbers show them."))));
  for (const at of found.slice(0, NOTICED_SHOWN)) {
    const [sign, said, standard] = words[segments.note[at]];
    const side = SIDES[segments.side[at]];
    const what = `${flagNames(segments.flags[at])} ${segments.payload[at] ? `${bytes(segments.payload[at])} from ${count(segments.offset[at])}` : ""}`.trim();
    group.append(
      el("tr", { class: "r-noticed" }, el("td", { class: "p" }, packet(segments.number[at])), el("td", { class: "t" }, since(segments.time[at])), el("td", { class: "m" }, arrow(side, what || "segment")), el("td", { class: "drawn" }, el("span", { class: "verdict" }, sign), `${said} `, el("small", {}, linked(standard)))),
    );
  }
  if (found.length > NOTICED_SHOWN) group.append(el("tr", {}, el("td", { colspan: "4", class: "note" }, `… and ${count(found.length - NOTICED_SHOWN)} more: see the time–sequence plot.`)));
  if (copies) group.append(el("tr", {}, el("td", { colspan: "4", class: "note" }, `${plural(copies, "packet")} captured twice: the same packet, seen at two places. The copies count for nothing else.`)));
  return group;
}

function flagNames(flags) {
  return [[2, "SYN"], [1, "FIN"], [4, "RST"]].filter(([bit]) => flags & bit).map(([, name]) => name).join(" ");
}
