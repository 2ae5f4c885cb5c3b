// HTTP exchanges as a waterfall, like a browser's network panel: a row per exchange, bars over one time axis.

const ROWS_SHOWN = 300;
const BAR = 1000; // units of a bar's width

// The HTTP conversations of a connection: its own, and that inside its tunnel.
function conversations(connection) {
  const found = [];
  if (connection.http) found.push({ path: "http", http: connection.http, title: connection.http.version || "HTTP" });
  const inside = connection.tunnel && connection.tunnel.http;
  if (inside && JSON.stringify(inside) !== JSON.stringify(connection.http)) {
    found.push({ path: "tunnel.http", http: inside, title: `${inside.version || "HTTP"} after ${visible(connection.tunnel.after)}` });
  }
  return found;
}

function drawExchanges(details) {
  return el("div", {}, conversations(details.connection).map((one) => conversation(details, one)));
}

function conversation(details, { path, http, title }) {
  const streams = http.exchanges.some((one) => one.stream !== null);
  const root = el("section", { class: "block" });
  const place = el("div");
  const draw = (view, shown) => place.replaceChildren(fallTable(details, path, http, streams, view, shown, () => draw(view, shown + ROWS_SHOWN)));
  const frames = details.frames && streams && path === "http" ? details.frames : details.frames && streams ? details.frames : null;
  const tools = el("div", { class: "panel-tools" }, el("h3", {}, `${title}: ${plural(http.exchanges.length + http.exchanges_not_listed, streams ? "stream" : "exchange")}`));
  if (frames && frames.length) {
    const views = [["time", "Over time"], ["order", "Frame by frame"]];
    const buttons = views.map(([view, text], at) =>
      el("button", { type: "button", "aria-pressed": String(at === 0), "data-view": view, onclick: () => {
        for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.view === view));
        draw(view, ROWS_SHOWN);
      } }, text));
    tools.append(el("div", { class: "chips", role: "group", "aria-label": "What the axis counts" }, buttons));
  }
  root.append(tools, legendOfBars(streams, http), place);
  if (http.max_concurrent > 1) tools.append(el("span", { class: "n" }, `up to ${http.max_concurrent} at once`));
  if (http.frame_switches) tools.append(el("span", { class: "n" }, `another stream’s frame followed ${plural(http.frame_switches, "time")}`));
  draw("time", ROWS_SHOWN);
  if (streams) root.append(connectionFacts(http));
  if (http.websocket) root.append(el("p", { class: "note" }, `WebSocket frames: ${SIDES.map((side) => `${side} ${Object.entries(http.websocket.frames[side]).map(([name, n]) => `${visible(name)} ${count(n)}`).join(", ") || "none"}`).join("; ")}; close code ${http.websocket.close_code === null ? "none" : http.websocket.close_code}.`));
  if (http.exchanges_not_listed) root.append(el("p", { class: "note" }, `${plural(http.exchanges_not_listed, "further exchange")} not listed.`));
  return root;
}

function fallTable(details, path, http, streams, view, shown, more) {
  const { exchanges } = http;
  const axis = view === "order" ? frameAxis(details.frames) : timeAxis(exchanges);
  const body = el("tbody");
  const kinds = ["short", ...(streams ? ["short"] : []), "short", "target", "short", "hide", "hide", "bar"];
  const table = el("table", { class: "fall" }, kinds.map((kind) => el("col", { class: kind })));
  const columns = [["Packet"], ...(streams ? [["Stream"]] : []), ["Method"], ["Target"], ["Status"], ["Size", "num hide"], ["Time", "num hide"]];
  const header = head(columns);
  header.firstChild.append(el("th", { scope: "col", class: "bar axis" }, el("span", { class: "sr" }, "When"), axisLabels(axis)));
  table.append(header, body);
  exchanges.slice(0, shown).forEach((one, at) => body.append(exchangeRow(details, path, http, one, at, streams, axis)));
  if (!exchanges.length) body.append(el("tr", {}, el("td", { colspan: columns.length + 1, class: "note" }, "No exchange could be read.")));
  const left = exchanges.length - shown;
  return el("div", { class: "scrolls" }, table, left > 0 && el("p", {}, el("button", { type: "button", onclick: more }, `Show more (${count(left)} left)`)));
}

function exchangeRow(details, path, http, one, at, streams, axis) {
  const { request, response } = one;
  const target = request ? visible(request.target === null ? "?" : request.target) : "(no request)";
  const status = response ? (response.status === null ? "?" : String(response.status)) + (response.complete ? "" : " cut") : one.reset ? "reset" : "none";
  const row = el("tr", { "data-at": at });
  const open = el("button", { type: "button", class: "path", "aria-expanded": "false", title: target, onclick: () => toggleExchange(row, open, details, path, one, at) }, target);
  const began = request || response;
  row.append(
    el("td", {}, began ? packet(began.packet) : "–"), streams ? el("td", { class: "num" }, one.stream === null ? "" : copyable(String(one.stream), `http2.streamid == ${one.stream}`)) : "",
    el("td", {}, request ? visible(request.method === null ? "?" : request.method) : "–"), el("td", {}, open),
    el("td", { class: `s-${response && response.status ? String(response.status)[0] : "x"}` }, [...one.interim, status].join(", ")),
    el("td", { class: "num hide" }, response ? bytes(response.body_bytes) : ""),
    el("td", { class: "num hide" }, one.started_ns !== null && one.finished_ns !== null ? duration(one.finished_ns - one.started_ns) : ""),
    el("td", { class: "bar" }, axis.frames ? frameBar(one, axis, http) : timeBar(one, axis, details.frames, http)),
  );
  return row;
}

function toggleExchange(row, button, details, path, one, at) {
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", String(open));
  row.dataset.open = String(open);
  if (!open) return row.nextSibling.remove();
  row.after(el("tr", { class: "more" }, el("td", { colspan: row.children.length, class: "one" }, exchangeFacts(details, path, one, at))));
  return undefined;
}

function exchangeFacts(details, path, one, at) {
  const { request, response } = one;
  const message = (of) => of && `${bytes(of.header_bytes)} header${of.header_bytes_on_wire !== of.header_bytes ? ` (${bytes(of.header_bytes_on_wire)} on the wire)` : ""}, ${bytes(of.body_bytes)} body${of.body_bytes_lost ? `, ${bytes(of.body_bytes_lost)} of it not in the capture` : ""}`;
  const facts = pairs([
    ["Target", request && request.target !== null ? el("code", {}, visible(request.target)) : null],
    ["Authority", request && request.authority !== null ? visible(request.authority) : null],
    ["Request", request && [packet(request.packet), ` ${message(request)}`]],
    ["Response", response && [packets(response.packet, response.last_packet), ` ${message(response)}${response.complete ? "" : ", not complete"}`]],
    ["Timing", one.started_ns === null ? null : `begins ${since(one.started_ns)}${one.first_byte_ns === null ? "" : `, first byte after ${duration(one.first_byte_ns - one.started_ns)}`}${one.finished_ns === null ? "" : `, last after ${duration(one.finished_ns - one.started_ns)}`}`],
    ["Multiplexed with", one.multiplexed_with.length ? `streams ${one.multiplexed_with.slice(0, 40).join(", ")}${one.multiplexed_with.length > 40 ? " …" : ""}${one.interleaved ? "; frames alternate with theirs" : ""}` : null],
    ["Pushed", one.pushed ? "by the server, RFC 9113 §8.4" : null],
    ["gRPC", one.grpc && `status ${one.grpc.status === null ? "not seen" : one.grpc.status}${one.grpc.messages ? `, ${one.grpc.messages.client} messages sent, ${one.grpc.messages.server} received` : ""}`],
    ["Reset", one.reset && [`${one.reset.error} by the ${one.reset.side} `, packet(one.reset.packet)]],
  ]);
  const fields = [["Request fields", request && request.headers], ["Response fields", response && response.headers], ["Trailers", one.trailers]].filter(([, list]) => list);
  const tables = fields.map(([title, list]) => [el("h4", {}, title), el("table", { class: "pairs fields" }, el("tbody", {}, list.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, visible(name)), el("td", {}, visible(value))))))]);
  const ladder = one.verdict && drawVerdict(details, `Stream ${one.stream}`, `${path}.exchanges.${at}.verdict`, one.verdict);
  return el("div", { class: "card" }, facts, tables, ladder);
}

function connectionFacts(http) {
  const listed = (counts) => Object.entries(counts).map(([name, n]) => `${visible(name)} ${count(n)}`).join(", ");
  const stalls = http.stalls.slice(0, 20).map((one) => el("div", {}, packet(one.packet), ` the ${one.waiting} waited ${duration(one.length_ns)} from ${since(one.from_ns)} for the window of ${one.stream ? `stream ${one.stream}` : "the connection"}`));
  return el("div", { class: "card block" }, pairs([
    ["Frames", listed(http.frames)],
    ["Client’s settings", http.settings && listed(http.settings.client)],
    ["Server’s settings", http.settings && listed(http.settings.server)],
    ["GOAWAY", http.goaway.length ? http.goaway.map((one) => el("div", {}, packet(one.packet), ` ${one.side} ${visible(one.error)}, last stream ${one.last_stream === 2147483647 ? "not yet said" : one.last_stream}`)) : null],
    ["Flow control", stalls.length ? stalls : null],
    ["Head of line", http.head_of_line_waits ? `${plural(http.head_of_line_waits, "lost segment")} held up streams whose bytes had arrived already` : null],
  ]));
}
