// TLS: what was negotiated, the certificates, the alerts.

function secured(connection) {
  const found = [];
  if (connection.tls) found.push(["", connection.tls]);
  const inside = connection.tunnel && connection.tunnel.tls;
  if (inside && JSON.stringify(inside) !== JSON.stringify(connection.tls)) found.push([` after ${visible(connection.tunnel.after)}`, inside]);
  return found;
}

function yesNo(value, yes, no, unknown) {
  if (value === null) return unknown;
  return value ? el("span", { class: "good-word" }, `✓ ${yes}`) : el("span", { class: "bad-word" }, `✗ ${no}`);
}

function drawTls(details) {
  return el("div", {}, secured(details.connection).map(([where, tls]) => el("section", { class: "block" }, session(where, tls), certificates(tls), alerts(tls))));
}

function session(where, tls) {
  const strong = { strong: "good-word", acceptable: "", weak: "bad-word", broken: "bad-word" }[tls.strength];
  const show = (text) => (text === null ? null : el("code", {}, visible(text)));
  const sources = { keylog: "with a key log", "rsa-key": "with the server’s RSA key", pcapng: "with secrets in the capture" };
  return el(
    "div", { class: "card" }, el("h3", {}, `${visible(tls.version || "TLS, version not seen")}${where}`),
    pairs([
      ["Cipher suite", show(tls.cipher_suite)],
      ["Key exchange", tls.key_exchange && visible(tls.key_exchange)],
      ["Strength", tls.strength && [el("span", { class: strong }, tls.strength), tls.strength_reason ? [" – ", linked(tls.strength_reason)] : ""]],
      ["Server name", tls.server_name === null ? "none was asked for" : visible(tls.server_name)],
      ["ALPN", `${tls.alpn === null ? "none chosen, or not seen" : visible(tls.alpn)}; offered ${tls.alpn_offered.map(visible).join(", ") || "none"}`],
      ["Resumed", tls.resumed === null ? "cannot tell" : tls.resumed ? "yes" : "no"],
      ["Client", tls.client_authenticated === null ? "encryption hides whether it authenticated itself" : tls.client_authenticated ? "authenticated itself with a certificate" : "not authenticated"],
      ["Decrypted", tls.decrypted ? `yes, ${sources[tls.decryption] || visible(tls.decryption || "")}` : ["no: ", visible(tls.decryption || "nothing to decrypt was captured")]],
      ["Records", `client ${count(tls.records.client)}, server ${count(tls.records.server)}`],
      ["Application data", `client ${bytes(tls.application_bytes.client)}, server ${bytes(tls.application_bytes.server)}${tls.decrypted ? "" : ", as encrypted"}`],
      ["close_notify", tls.close_notify === null ? "cannot tell" : SIDES.map((side) => [side === "server" ? "; " : "", `${side} `, tls.close_notify[side] ? packet(tls.close_notify[side]) : "none"])],
      ["JA3", show(tls.ja3)], ["JA3S", show(tls.ja3s)], ["JA4", show(tls.ja4)],
    ]),
  );
}

function certificates(tls) {
  const chains = [["Server", tls.certificates], ["Client", tls.client_certificates]].filter(([, chain]) => chain.length);
  if (!chains.length) return el("p", { class: "note" }, tls.resumed ? "No certificate: the session was resumed." : "No certificate was captured in the clear or decrypted.");
  return chains.map(([whose, chain]) => [el("h3", { class: "one" }, `${whose} certificate${chain.length > 1 ? "s" : ""}`), el("div", { class: "cards" }, chain.map((one, at) => certificate(one, at)))]);
}

function certificate(one, at) {
  return el(
    "article", { class: `card${one.problems.length ? " bad" : ""}` },
    el("h4", {}, visible(one.subject || "no subject"), at ? el("small", {}, " issuer") : ""),
    pairs([
      ["Issuer", one.issuer && visible(one.issuer)],
      ["Valid", [`${one.not_before || "?"} to ${one.not_after || "?"} `, yesNo(one.valid_at_capture, "at the time of the capture", "not at the time of the capture", "")]],
      ["Names", one.names.length ? `${one.names.slice(0, 40).map(visible).join(", ")}${one.names.length > 40 ? ` and ${count(one.names.length - 40)} more` : ""}` : null],
      ["Name", at ? null : yesNo(one.name_matches, "is the one that was asked for", "is not the one that was asked for", "no name was asked for")],
      ["Trusted", at ? null : yesNo(one.trusted, "its issuers lead to a trusted root", "its issuers do not lead to a trusted root", "cannot tell")],
      ["Key", one.key && visible(one.key)], ["Signature", one.signature && visible(one.signature)],
      ["Serial", one.serial && el("code", {}, visible(one.serial))], ["SHA-256", el("code", {}, visible(one.sha256))],
    ]),
    one.problems.length ? el("ul", { class: "problems" }, one.problems.map((problem) => el("li", {}, linked(problem)))) : "",
  );
}

function alerts(tls) {
  if (!tls.alerts.length) return null;
  const rows = tls.alerts.map((one) => el("tr", {}, el("td", {}, packet(one.packet)), el("td", {}, one.side), el("td", {}, visible(one.level || "?")), el("td", { class: one.level === "fatal" && "bad-word" }, visible(one.description || "not readable")), el("td", {}, one.encrypted ? "encrypted" : "")));
  return [el("h3", { class: "one" }, "Alerts"), el("table", { class: "plain" }, head([["Packet"], ["Sender"], ["Level"], ["Description"], [""]]), el("tbody", {}, rows))];
}
