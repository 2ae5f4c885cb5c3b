// What else there is to say: what the SYNs negotiated, what was noticed, faults, and what could not be told and why.

const NOTES = {
  retransmissions: "retransmissions", out_of_order: "out of order", lost_segments: "lost segments", duplicate_acks: "duplicate ACKs",
  zero_windows: "zero windows", keep_alives: "keep-alives", resets: "resets", resets_ignored: "resets ignored", icmp_errors: "ICMP errors about it",
  duplicates: "packets captured twice", cut_segments: "segments cut by the snapshot length", uncaptured_bytes: "bytes acknowledged, not captured",
  bad_checksums: "wrong checksums", unfilled_checksums: "checksums left to the network card",
};
const ORIENTED = {
  syn: "the client sent the SYN", content: "no SYN was captured: client and server by what they say",
  port: "no SYN was captured: the server has the lower or registered port", "first-packet": "no SYN was captured: the client sent the first packet",
};

function drawFacts(details) {
  const { connection } = details;
  const { tcp, timing, notes } = connection;
  const options = [
    ["Initial sequence number", "initial_sequence_number"], ["MSS", "mss"], ["Window scale", "window_scale"], ["SACK", "sack_permitted"],
    ["Timestamps", "timestamps"], ["Fast Open", "fast_open"], ["MPTCP", "mptcp"], ["ECN", "ecn"],
  ];
  const said = (value) => (value === null ? "–" : value === true ? "yes" : value === false ? "no" : count(value));
  const rows = options.map(([name, key]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", { class: "num" }, said(tcp.client[key])), el("td", { class: "num" }, said(tcp.server[key]))));
  const noticed = Object.entries(NOTES).filter(([key]) => notes[key]).map(([key, name]) => [name, count(notes[key])]);
  return el(
    "div", { class: "cards" },
    el("section", { class: "card" }, el("h3", {}, "Connection"), pairs([
      ["Capture", visible(connection.capture)],
      ["Wireshark", [connection.tcp_stream === null ? "" : copyable(`tcp.stream eq ${connection.tcp_stream}`, `tcp.stream eq ${connection.tcp_stream}`), " ", packets(connection.first_packet, connection.last_packet)]],
      ["Began", clock(connection.start)], ["Lasted", duration(connection.duration_ns)],
      ["Sides", ORIENTED[connection.oriented_by]],
      ["Client", `${plural(connection.packets.client, "packet")}, ${bytes(connection.payload_bytes.client)}`],
      ["Server", `${plural(connection.packets.server, "packet")}, ${bytes(connection.payload_bytes.server)}`],
      ["VLAN", connection.vlan.length ? [...connection.vlan].reverse().join(" in ") : null],
      ["Inside", connection.encapsulation.length ? el("ul", {}, connection.encapsulation.map((layer) => el("li", {}, layerWords(layer)))) : null],
      ["PROXY protocol", connection.proxy_protocol && `version ${connection.proxy_protocol}, for ${connection.proxied_for ? endpoint(connection.proxied_for) : "no address"}`],
      ["Tunnel", connection.tunnel && `after ${visible(connection.tunnel.after)}: ${bytes(connection.tunnel.bytes.client)} sent, ${bytes(connection.tunnel.bytes.server)} received`],
      ["TCP handshake", timing.handshake_ns === null ? null : duration(timing.handshake_ns)],
      ["TLS handshake", timing.tls_ns === null ? null : duration(timing.tls_ns)],
      ["First response", timing.first_response_ns === null ? null : `${duration(timing.first_response_ns)} after the first packet`],
      ["Closed by", connection.close.closed_by],
      ["ICMP error", connection.icmp_error && icmpWords(connection.icmp_error)],
    ])),
    el("section", { class: "card" }, el("h3", {}, "What the SYNs said"), el("table", { class: "plain" }, head([["Option"], ["Client", "num"], ["Server", "num"]]), el("tbody", {}, rows)), tcp.client.mss === null && tcp.server.mss === null ? el("p", { class: "note" }, "– : not in the capture, or not in the SYN.") : ""),
    el("section", { class: "card" }, el("h3", {}, "Noticed"), noticed.length ? pairs(noticed) : el("p", { class: "none" }, "Nothing: no retransmission, no loss, no reset."), notes.bad_checksums === null ? el("p", { class: "note" }, "Checksums were not looked at: --count-checksums does.") : ""),
    faultCard(connection),
    untoldCard(connection),
  );
}

// Headers around the connection's packets, the outermost first.
function layerWords(layer) {
  return `${visible(layer.type)}${layer.id === null ? "" : ` ${layer.id}`}${layer.source ? ` (${visible(layer.source)} → ${visible(layer.destination)})` : ""}`;
}

function icmpWords(error) {
  return [packet(error.packet), ` ${error.meaning ? visible(error.meaning) : `type ${error.type}, code ${error.code}`}${error.mtu ? `, MTU ${count(error.mtu)}` : ""}`];
}

function faultCard(connection) {
  const rows = connection.faults.map((one) => el("tr", {}, el("td", {}, packet(one.packet)), el("td", {}, visible(one.layer)), el("td", {}, linked(one.message))));
  return el("section", { class: "card" }, el("h3", {}, `Faults `, el("span", { class: "n" }, count(connection.faults.length))), rows.length ? el("table", { class: "plain" }, head([["Packet"], ["Layer"], ["What is wrong"]]), el("tbody", {}, rows)) : el("p", { class: "none" }, "None."));
}

function untoldCard(connection) {
  const untold = verdictsOf(connection).filter(([, , verdict]) => ["unseen", "incomplete"].includes(verdict.outcome) && verdict.cause !== "never-opened");
  const found = untold.map(([title, , verdict]) => el("li", {}, el("b", {}, title), ` – ${verdict.outcome}${verdict.cause ? `: ${report.causes[verdict.cause]}` : ""}.`));
  for (const [where, tls] of secured(connection)) {
    if (!tls.decrypted && tls.decryption) found.push(el("li", {}, el("b", {}, `TLS${where}`), ` – not decrypted: ${visible(tls.decryption)}.`));
  }
  return el("section", { class: "card" }, el("h3", {}, "What could not be told, and why"), found.length ? el("ul", {}, found) : el("p", { class: "none" }, "Nothing: the capture shows all of it."));
}

function drawJson(details) {
  const text = JSON.stringify(details.connection, null, 2);
  return el("div", {}, el("div", { class: "panel-tools" }, el("button", { type: "button", onclick: () => copyJson(text) }, "Copy"), el("span", { class: "n" }, "as analyzer read --format jsonl prints it")), el("pre", { class: "json", tabindex: "0" }, text.split("\n").map(visible).join("\n")));
}

async function copyJson(text) {
  await copy(text);
  say("Copied the connection as JSON");
}
