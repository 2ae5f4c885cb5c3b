// Elements. Text only ever becomes a text node, so nothing of a capture is read as HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false && child !== "") node.append(child);
  }
  return node;
}

function el(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

function svg(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

function byId(id) {
  return document.getElementById(id);
}

let quiet = 0;

// Says something to everybody: on the screen for a moment, and to screen readers.
function say(text) {
  const said = byId("said");
  said.textContent = text;
  said.classList.add("on");
  clearTimeout(quiet);
  quiet = setTimeout(() => said.classList.remove("on"), 2500);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Files that are opened from a disk may not use the clipboard in every browser.
    const area = el("textarea", { readonly: true, "aria-hidden": "true" });
    area.value = text;
    area.style.position = "fixed";
    area.style.opacity = "0";
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say(`Copied: ${text}`);
}

function copyable(text, filter) {
  return el("button", { type: "button", class: "copy", "data-copy": filter, title: `Copy the Wireshark filter ${filter}` }, text);
}

function packet(number) {
  return copyable(String(number), `frame.number == ${number}`);
}

function packets(first, last) {
  if (first === last) return packet(first);
  return copyable(`${first}–${last}`, `frame.number >= ${first} && frame.number <= ${last}`);
}

// `RFC 9293 §3.6, §3.5.2` with links to what it names; the second section is of the same RFC.
function linked(text) {
  const parts = [];
  let rfc = null;
  let at = 0;
  for (const match of text.matchAll(/RFC (\d{1,5})(?: §([A-Z]?[\d.]*\d|[A-Z]))?|§([A-Z]?[\d.]*\d)/g)) {
    if (match[1]) rfc = match[1];
    if (!rfc) continue;
    const section = match[2] || match[3];
    const kind = section && /^[A-Z]/.test(section) ? "appendix" : "section";
    parts.push(visible(text.slice(at, match.index)));
    const href = `https://www.rfc-editor.org/rfc/rfc${rfc}.html${section ? `#${kind}-${section}` : ""}`;
    parts.push(el("a", { href, target: "_blank", rel: "noopener noreferrer" }, match[0]));
    at = match.index + match[0].length;
  }
  parts.push(visible(text.slice(at)));
  return parts;
}

// Links in what was written without scripts.
function linkWithin(root) {
  for (const holder of root.querySelectorAll(".links")) {
    const walker = document.createTreeWalker(holder, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) found.push(walker.currentNode);
    for (const node of found) {
      if (/RFC \d/.test(node.data) && !node.parentElement.closest("a, button")) node.replaceWith(...linked(node.data));
    }
  }
}

function head(columns) {
  return el("thead", {}, el("tr", {}, columns.map(([text, kind]) => el("th", { scope: "col", class: kind }, text))));
}

function pairs(rows) {
  const shown = rows.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el("table", { class: "pairs" }, el("tbody", {}, shown.map(([name, value]) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value)))));
}

function mark(outcome) {
  return el("span", { class: `mark ${className(outcome)}`, title: `${outcome}: ${report.outcomes[outcome]}` }, report.marks[outcome]);
}
