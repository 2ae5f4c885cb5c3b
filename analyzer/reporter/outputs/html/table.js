// The table of connections. Only the rows in sight are elements; it is a grid to screen readers and to the keyboard.

const ROW_PIXELS = 34;
const SPARE_ROWS = 8;
const PRINTED_ROWS = 500;

const COLUMNS = [
  { key: "id", title: "#", least: 3.6, right: true },
  { key: "capture", title: "Capture", least: 8, grows: 1, text: true, several: true },
  { key: "client", title: "Client", least: 10, grows: 1, text: true },
  { key: "server", title: "Server", least: 10, grows: 1, text: true },
  { key: "name", title: "Name", least: 7, grows: 1.4, text: true },
  { key: "open", title: "Opened", least: 10.4, grows: 0.6, text: true, verdict: true },
  { key: "close", title: "Closed", least: 8.8, grows: 0.6, text: true, verdict: true },
  { key: "tls", title: "TLS", least: 5, text: true },
  { key: "http", title: "HTTP", least: 6, text: true },
  { key: "exchanges", title: "Exch.", least: 4, right: true, show: (n) => (n ? count(n) : "") },
  { key: "packets", title: "Packets", least: 5, right: true, show: count },
  { key: "bytes", title: "Bytes", least: 5, right: true, show: (n) => (n ? bytes(n) : "") },
  { key: "duration", title: "Duration", least: 5.6, right: true, show: duration },
  { key: "trouble", title: "Trouble", least: 4.8, right: true, show: (n) => (n ? count(n) : ""), hint: "Segments retransmitted, lost or out of order" },
  { key: "faults", title: "Faults", least: 4.4, right: true, show: (n) => (n ? count(n) : "") },
];

const OUTCOME_OF_MARK = {};

class ConnectionTable {
  constructor(root, open) {
    this.root = root;
    this.open = open;
    this.columns = COLUMNS.filter((column) => !column.several || report.several);
    this.order = Int32Array.from({ length: report.count }, (_, row) => row);
    this.sorted = { key: report.several ? "capture" : "id", down: false };
    this.current = 0; // place in the order
    this.wanted = new Set(); // outcomes
    this.words = [];
    this.ranks = null;
    this.haystacks = null;
    for (const [outcome, sign] of Object.entries(report.marks)) OUTCOME_OF_MARK[sign] = outcome;
    this.build();
    this.arrange();
  }

  build() {
    this.heads = this.columns.map((column) => {
      const button = el("button", { type: "button", tabindex: "-1", onclick: () => this.sortBy(column.key) }, column.title);
      return el("div", { role: "columnheader", class: column.right && "right", title: column.hint, "data-key": column.key }, button);
    });
    this.heads[0].firstChild.tabIndex = 0;
    const header = el("div", { role: "row", class: "head", "aria-rowindex": "1" }, this.heads);
    header.addEventListener("keydown", (event) => this.headKey(event));
    this.body = el("div", { class: "body", role: "rowgroup" });
    this.view = el("div", { class: "view", role: "grid", "aria-labelledby": "h-connections", "aria-colcount": this.columns.length }, el("div", { role: "rowgroup" }, header), this.body);
    // Every row is a grid of its own: with one width, all come to the same columns.
    this.view.style.setProperty("--columns", this.columns.map(({ least, grows }) => (grows ? `minmax(${least}rem, ${grows}fr)` : `${least}rem`)).join(" "));
    this.view.style.setProperty("--printed", this.columns.map(({ least }) => `minmax(0, ${least}fr)`).join(" "));
    this.view.style.setProperty("--least", `${this.columns.reduce((sum, column) => sum + column.least, 0)}rem`);
    this.view.addEventListener("scroll", () => requestAnimationFrame(() => this.draw()), { passive: true });
    this.body.addEventListener("keydown", (event) => this.key(event));
    this.body.addEventListener("click", (event) => {
      const row = event.target.closest("[role=row]");
      if (row && !String(getSelection())) this.open(Number(row.dataset.row));
    });
    this.root.replaceChildren(this.view);
    addEventListener("beforeprint", () => this.drawRows(0, Math.min(PRINTED_ROWS, this.order.length)));
    addEventListener("afterprint", () => this.draw());
  }

  // Which rows are shown, and in which order.
  arrange() {
    const { columns } = report;
    if (this.words.length) this.haystacks ||= this.index();
    const rows = [];
    for (let row = 0; row < report.count; row++) {
      if (this.wanted.size && !this.wanted.has(report.texts[columns.worst[row]])) continue;
      if (this.words.every((word) => this.haystacks[row].includes(word))) rows.push(row);
    }
    const { key, down } = this.sorted;
    const column = this.columns.find((one) => one.key === key);
    const values = column.text ? this.rank(columns[key]) : columns[key];
    const sign = down ? -1 : 1;
    rows.sort((a, b) => sign * (values[a] - values[b]) || a - b);
    this.order = Int32Array.from(rows);
    this.current = 0;
    for (const cell of this.heads) {
      const mine = cell.dataset.key === key;
      cell.setAttribute("aria-sort", mine ? (down ? "descending" : "ascending") : "none");
      const title = this.columns.find((one) => one.key === cell.dataset.key).title;
      cell.firstChild.textContent = mine ? `${title} ${down ? "▾" : "▴"}` : title;
    }
    this.view.setAttribute("aria-rowcount", this.order.length + 1);
    this.body.style.height = `${Math.max(this.order.length, 1) * ROW_PIXELS}px`;
    this.view.style.height = `min(36rem, 70vh, ${(Math.max(this.order.length, 2) + 2) * ROW_PIXELS}px)`;
    this.view.scrollTop = 0;
    this.draw();
  }

  // Texts are sorted once, as people read them: 10.0.0.9 before 10.0.0.10.
  rank(numbers) {
    if (!this.ranks) {
      const collator = new Intl.Collator("en", { numeric: true });
      const order = report.texts.map((_, number) => number).sort((a, b) => collator.compare(report.texts[a], report.texts[b]));
      this.ranks = new Int32Array(order.length);
      order.forEach((number, rank) => (this.ranks[number] = rank));
    }
    return numbers.map((number) => this.ranks[number]);
  }

  index() {
    const { columns, texts } = report;
    const keys = ["client", "server", "open", "close", "tls", "http", "life", "capture"];
    return columns.search.map((more, row) => {
      const said = keys.map((key) => texts[columns[key][row]]).join(" ");
      return `#${columns.id[row]} ${said} ${visible(more)}`.toLowerCase();
    });
  }

  search(text) {
    this.words = text.toLowerCase().split(/\s+/).filter(Boolean);
    this.arrange();
  }

  toggle(outcome) {
    if (!this.wanted.delete(outcome)) this.wanted.add(outcome);
    this.arrange();
  }

  sortBy(key) {
    this.sorted = { key, down: this.sorted.key === key ? !this.sorted.down : false };
    this.arrange();
    say(`Sorted by ${this.columns.find((one) => one.key === key).title}, ${this.sorted.down ? "descending" : "ascending"}`);
  }

  draw() {
    const first = Math.max(0, Math.floor(this.view.scrollTop / ROW_PIXELS) - SPARE_ROWS);
    const height = this.view.clientHeight || 600;
    const last = Math.min(this.order.length, Math.ceil((this.view.scrollTop + height) / ROW_PIXELS) + SPARE_ROWS);
    this.drawRows(first, last);
  }

  drawRows(first, last) {
    const focused = this.body.contains(document.activeElement);
    const rows = [];
    for (let place = first; place < last; place++) rows.push(this.row(place));
    if (!this.order.length) rows.push(el("p", { class: "empty" }, "No connection is like that."));
    this.body.replaceChildren(...rows);
    const tabbable = this.element(this.current) || this.body.querySelector("[role=row]");
    if (tabbable) tabbable.tabIndex = 0;
    if (focused && tabbable) tabbable.focus({ preventScroll: true });
  }

  row(place) {
    const row = this.order[place];
    const node = el("div", { role: "row", "aria-rowindex": place + 2, "data-place": place, "data-row": row, tabindex: "-1" });
    node.style.transform = `translateY(${place * ROW_PIXELS}px)`;
    for (const column of this.columns) node.append(this.cell(column, row));
    return node;
  }

  cell(column, row) {
    const value = report.columns[column.key][row];
    const text = column.text ? report.texts[value] : column.show ? column.show(value) : String(value);
    const cell = el("div", { role: "gridcell", class: column.right ? "right" : ["client", "server"].includes(column.key) && "mono", title: column.text && text.length > 12 ? text : null });
    if (column.verdict && text) {
      const outcome = OUTCOME_OF_MARK[text[0]];
      cell.append(el("span", { class: `mark ${className(outcome)}`, "aria-label": outcome, role: "img" }, text[0]), text.slice(1));
    } else cell.textContent = text;
    return cell;
  }

  element(place) {
    return this.body.querySelector(`[data-place="${place}"]`);
  }

  focus(place) {
    if (!this.order.length) return;
    this.current = Math.max(0, Math.min(this.order.length - 1, place));
    const top = this.current * ROW_PIXELS;
    const room = this.view.clientHeight - 2 * ROW_PIXELS;
    if (top < this.view.scrollTop) this.view.scrollTop = top;
    else if (top > this.view.scrollTop + room) this.view.scrollTop = top - room;
    this.draw();
    this.element(this.current).focus({ preventScroll: true });
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.view.clientHeight / ROW_PIXELS) - 2);
    const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    const here = Number(event.target.closest("[role=row]").dataset.place);
    if (event.key in moves) {
      event.preventDefault();
      this.focus(here + moves[event.key]);
    } else if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      this.current = here;
      this.open(this.order[here]);
    }
  }

  headKey(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (event.key === "ArrowDown") {
      event.preventDefault();
      this.focus(this.current);
    } else if (step) {
      event.preventDefault();
      const at = this.heads.findIndex((cell) => cell.contains(document.activeElement)) + step;
      const next = this.heads[Math.max(0, Math.min(this.heads.length - 1, at))].firstChild;
      for (const cell of this.heads) cell.firstChild.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    }
  }
}
