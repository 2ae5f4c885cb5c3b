// TCP as a time–sequence plot: one side's bytes over time, what its peer acknowledged and had room for.

const WIDTH = 1200;
const NARROWEST = 360;
const LOWEST = 320;
const SET_BACK = 1e9; // nanoseconds
const HEIGHT = 520;
const MARGIN = { left: 84, right: 20, top: 30, bottom: 44 };
const LISTED = 300;

const SHAPES = {
  retransmission: ["retransmission", (x, y) => `M${x - 5} ${y - 5}L${x + 5} ${y + 5}M${x - 5} ${y + 5}L${x + 5} ${y - 5}`],
  outOfOrder: ["out of order", (x, y) => `M${x} ${y - 6}L${x + 6} ${y}L${x} ${y + 6}L${x - 6} ${y}Z`],
  afterGap: ["bytes before it are missing", (x, y) => `M${x - 5} ${y - 5}h10v10h-10Z`],
  keepAlive: ["keep-alive", (x, y) => `M${x} ${y - 6}L${x + 6} ${y + 5}L${x - 6} ${y + 5}Z`],
  copy: ["captured twice: a copy", (x, y) => `M${x - 6} ${y - 3}h7v7h-7ZM${x - 2} ${y - 7}h7v7`],
  duplicateAck: ["duplicate ACK", (x, y) => `M${x - 4} ${y}a4 4 0 1 0 8 0a4 4 0 1 0 -8 0`],
};

function drawSequence(details) {
  const { segments, connection } = details;
  if (!segments) return el("p", { class: "note" }, "No segments of this connection were kept: the report had room for the segments of other connections only. analyzer read --filter makes a report of fewer connections.");
  const root = el("div");
  const place = el("div", { class: "sequence" });
  const most = connection.payload_bytes.server >= connection.payload_bytes.client ? 1 : 0;
  const buttons = [0, 1].map((side) => el("button", { type: "button", "aria-pressed": String(side === most), onclick: () => show(side) }, `${side ? "Server to client" : "Client to server"} (${bytes(connection.payload_bytes[SIDES[side]])})`));
  const show = (side) => {
    buttons.forEach((button, at) => button.setAttribute("aria-pressed", String(at === side)));
    place.replaceChildren(new SequencePlot(details, side).root);
  };
  root.append(el("div", { class: "panel-tools" }, el("div", { class: "chips", role: "group", "aria-label": "Whose bytes" }, buttons)), place);
  show(most);
  return root;
}

// Where the clock was set back, to before the connection began, time goes on from where it stood. `set`: when.
function continued(times) {
  const set = [];
  let step = 0;
  let last = 0;
  const time = times.map((at) => {
    if (at < -SET_BACK && at + step < last - SET_BACK) {
      step = last - at;
      set.push(last);
    }
    return (last = at + step);
  });
  return { time, set };
}

class SequencePlot {
  constructor(details, side) {
    this.width = Math.max(NARROWEST, Math.min(WIDTH, document.documentElement.clientWidth)); // so that text keeps its size
    this.height = Math.max(LOWEST, Math.min(HEIGHT, this.width * 0.85));
    const { time, set } = continued(details.segments.time);
    this.segments = { ...details.segments, time, captured: details.segments.time };
    this.set = set;
    this.connection = details.connection;
    this.side = side;
    const options = this.connection.tcp[SIDES[1 - side]];
    const mine = this.connection.tcp[SIDES[side]];
    // RFC 7323 §2.2: both SYNs must offer it, and the SYN's own window is not scaled.
    const both = options.window_scale !== null && mine.window_scale !== null;
    this.known = options.mss !== null || options.initial_sequence_number !== null;
    this.shift = both ? Math.min(options.window_scale, 14) : 0;
    this.own = [];
    this.acks = [];
    for (let at = 0; at < this.segments.count; at++) {
      if (this.segments.side[at] === side) this.own.push(at);
      else if (this.segments.ack[at] >= 0) this.acks.push(at);
    }
    this.root = el("div");
    this.whole = this.extent();
    this.range = null;
    this.at = -1;
    this.draw();
  }

  end(at) {
    const { offset, payload, flags } = this.segments;
    return offset[at] + payload[at] + (flags[at] & 3 ? 1 : 0);
  }

  room(at) {
    const { ack, window, flags } = this.segments;
    return ack[at] + window[at] * 2 ** (flags[at] & 2 ? 0 : this.shift);
  }

  extent() {
    const { time, ack } = this.segments;
    let high = 1;
    let low = Infinity;
    const from = time.reduce((least, at) => Math.min(least, at), 0);
    let to = 0;
    for (const at of this.own) [low, high, to] = [Math.min(low, this.segments.offset[at]), Math.max(high, this.end(at)), Math.max(to, time[at])];
    for (const at of this.acks) [high, to] = [Math.max(high, Math.min(ack[at], high * 2)), Math.max(to, time[at])];
    if (low === Infinity) low = 0;
    return { from, to: Math.max(to + (to - from) * 0.02, from + 1), low, high: high + (high - low) * 0.06 + 1 };
  }

  draw() {
    const view = this.range || this.whole;
    const [from, to] = [view.from, view.to];
    const inside = (at) => this.segments.time[at] >= from && this.segments.time[at] <= to;
    const own = this.own.filter(inside);
    let { low, high } = this.whole;
    if (this.range && own.length) {
      low = Math.min(...own.map((at) => this.segments.offset[at]));
      high = Math.max(...own.map((at) => this.end(at)));
      high += (high - low) * 0.08 + 1;
    }
    const { root: drawing, atX, atY } = plotFrame(this.width, this.height, MARGIN, { from, to, label: (ns) => duration(ns), title: "time since the connection’s first packet" }, { from: low, to: high, label: (n) => bytes(Math.round(n)), title: `bytes of the ${SIDES[this.side]}, SYN = 0` });
    Object.assign(this, { atX, atY, low, high, shown: own });
    const clip = `clip${this.side}`;
    drawing.append(svg("defs", {}, svg("clipPath", { id: clip }, svg("rect", { x: MARGIN.left, y: MARGIN.top - 6, width: this.width - MARGIN.left - MARGIN.right, height: this.height - MARGIN.top - MARGIN.bottom + 12 }))));
    const canvas = svg("g", { "clip-path": `url(#${clip})` });
    drawing.append(canvas);
    this.lines(canvas, from, to);
    for (const at of this.set) canvas.append(svg("path", { class: "cursor", d: `M${atX(at).toFixed(1)} ${MARGIN.top}V${this.height - MARGIN.bottom}` }, svg("title", {}, "the clock was set back")));
    this.marks(canvas, own);
    this.overlay = svg("g");
    drawing.append(this.overlay);
    drawing.setAttribute("tabindex", "0");
    drawing.setAttribute("aria-label", this.summary(own));
    this.listen(drawing);
    this.readout = el("p", { class: "readout", "aria-live": "polite" }, "Arrow keys or the pointer read segments one by one; drag to enlarge; a click copies the packet’s filter.");
    const reset = el("button", { type: "button", disabled: !this.range, onclick: () => this.zoom(null) }, "Whole connection");
    const closer = el("button", { type: "button", onclick: () => this.zoomBy(0.5) }, "Enlarge");
    this.root.replaceChildren(el("div", { class: "panel-tools" }, closer, reset), drawing, this.readout, this.key(), this.leftOut(), this.list(own));
  }

  lines(canvas, from, to) {
    const { time, ack, offset } = this.segments;
    const steps = (value) => {
      let path = "";
      let highest = -1;
      for (const at of this.acks) {
        const y = this.atY(Math.max(-1e12, Math.min(value(at), this.whole.high * 4 + 1e6)));
        highest = Math.max(highest, at);
        path += path ? `H${this.atX(time[at]).toFixed(1)}V${y.toFixed(1)}` : `M${this.atX(time[at]).toFixed(1)} ${y.toFixed(1)}`;
      }
      return path && `${path}H${this.atX(to).toFixed(1)}`;
    };
    canvas.append(svg("path", { class: "ack", d: steps((at) => ack[at]) }));
    if (this.known) canvas.append(svg("path", { class: "window", d: steps((at) => this.room(at)) }));
    const data = this.own.filter((at) => this.segments.payload[at]).map((at) => `M${this.atX(time[at]).toFixed(1)} ${this.atY(offset[at]).toFixed(1)}V${Math.min(this.atY(this.end(at)), this.atY(offset[at]) - 1.5).toFixed(1)}`);
    // Last: what is acknowledged at once must not hide what was sent.
    canvas.append(svg("path", { class: "data", d: data.join("") }));
  }

  marks(canvas, own) {
    const { time, offset, note, flags, window, ack } = this.segments;
    for (const [name, [, shape]] of Object.entries(SHAPES)) {
      const kind = report.notes[name];
      const mine = name === "duplicateAck" ? this.acks : own;
      const path = mine.filter((at) => note[at] === kind).map((at) => shape(this.atX(time[at]), this.atY(name === "duplicateAck" ? ack[at] : offset[at]))).join("");
      if (path) canvas.append(svg("path", { class: name, d: path }));
    }
    for (const at of this.acks) {
      if (window[at] === 0 && !(flags[at] & 4)) canvas.append(svg("rect", { class: "zero", x: this.atX(time[at]) - 4, y: this.atY(ack[at]) - 2, width: 8, height: 4 }, svg("title", {}, "window closed")));
    }
    for (const at of [...own, ...this.acks]) {
      if (flags[at] & 7) {
        const mine = this.segments.side[at] === this.side;
        if ((!mine && !(flags[at] & 4)) || note[at] === report.notes.copy) continue;
        const [x, y] = [this.atX(time[at]), mine ? this.atY(offset[at]) : this.atY(Math.max(this.low, ack[at]))];
        const name = flagNames(flags[at]);
        const width = 8 * name.length + 8;
        const left = Math.max(MARGIN.left, Math.min(x - width / 2, this.width - MARGIN.right - width));
        canvas.append(svg("rect", { class: "flag-bg", x: left, y: y - 22, width, height: 16, rx: 4 }), svg("text", { class: "flag", x: left + width / 2, y: y - 10, "text-anchor": "middle" }, name));
      }
    }
  }

  summary(own) {
    const marked = Object.entries(SHAPES).map(([name, [said]]) => [own.filter((at) => this.segments.note[at] === report.notes[name]).length, said]).filter(([n]) => n);
    return `Time–sequence plot of the ${SIDES[this.side]}: ${plural(own.length, "segment")}${marked.map(([n, said]) => `, ${n} ${said}`).join("")}. The table below lists them.`;
  }

  key() {
    const line = (kind, text) => el("li", {}, svg("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" }, svg("path", { class: kind, d: "M0 6H24" })), text);
    const shapes = Object.entries(SHAPES).map(([name, [text, shape]]) => el("li", {}, svg("svg", { viewBox: "0 0 24 12", "aria-hidden": "true" }, svg("path", { class: name, d: shape(12, 6) })), text));
    return el("ul", { class: "key plot", "aria-label": "Marks" }, line("data", "data"), line("ack", "acknowledged by the peer"), this.known ? line("window", "the peer’s window ends") : el("li", {}, "the peer’s SYN was not captured: its window cannot be scaled and is not drawn"), shapes);
  }

  leftOut() {
    const { seen, count: kept, every, everySpecial, captured } = this.segments;
    const { duplicates, cut_segments: cut, bad_checksums: bad } = this.connection.notes;
    const said = [];
    if (kept >= seen) said.push(`All ${plural(seen, "segment")} of both sides are drawn.`);
    else {
      const marks = everySpecial > 1 ? `, of those with marks or flags one in ${count(everySpecial)}` : `; those with marks or flags are all there${duplicates ? ", but not all copies" : ""}`;
      said.push(`${count(kept)} of ${plural(seen, "segment")} of both sides are drawn: of plain ones one in ${count(every)}${marks}.`);
    }
    if (cut) said.push(`${plural(cut, "segment")} cut by the snapshot length: drawn as long as on the wire.`);
    if (bad) said.push(`${plural(bad, "segment")} with a wrong checksum: ${report.verified ? "left out (--verify-checksums)" : "drawn like any other"}.`);
    if (this.set.length) said.push("The clock was set back while capturing (dashed line): the plot goes on from where it stood, and lists say what the clock said.");
    else if (captured.some((at, place) => place && captured[place - 1] - at >= SET_BACK)) said.push("Packets are not in the order of time.");
    return el("p", { class: "note" }, said.join(" "));
  }

  // What is marked, as a table: for screen readers, and for everybody who wants numbers.
  list(own) {
    const { note, flags, captured, number, offset, payload } = this.segments;
    const names = Object.fromEntries(Object.entries(SHAPES).map(([name, [said]]) => [report.notes[name], said]));
    const marked = own.filter((at) => note[at] || flags[at] & 7);
    if (!marked.length) return null;
    const rows = marked.slice(0, LISTED).map((at) => el("tr", {}, el("td", {}, packet(number[at])), el("td", {}, since(captured[at])), el("td", { class: "num" }, count(offset[at])), el("td", { class: "num" }, bytes(payload[at])), el("td", {}, [flagNames(flags[at]), names[note[at]]].filter(Boolean).join(", "))));
    return el("details", { open: marked.length <= 12 }, el("summary", {}, `${plural(marked.length, "segment")} with marks or flags`), el("table", { class: "plain" }, head([["Packet"], ["Time"], ["Offset", "num"], ["Payload", "num"], ["What"]]), el("tbody", {}, rows)), marked.length > LISTED && el("p", { class: "note" }, `… and ${count(marked.length - LISTED)} more`));
  }

  listen(root) {
    let begun = null;
    const where = (event) => {
      const point = new DOMPoint(event.clientX, event.clientY).matrixTransform(root.getScreenCTM().inverse());
      return [point.x, point.y];
    };
    root.addEventListener("pointerdown", (event) => {
      begun = where(event)[0];
      root.setPointerCapture(event.pointerId);
    });
    root.addEventListener("pointermove", (event) => {
      const [x, y] = where(event);
      if (begun !== null && Math.abs(x - begun) > 6) this.overlay.replaceChildren(svg("rect", { class: "brush", x: Math.min(x, begun), y: MARGIN.top, width: Math.abs(x - begun), height: this.height - MARGIN.top - MARGIN.bottom }));
      else this.read(this.nearest(x, y));
    });
    root.addEventListener("pointerup", (event) => {
      const [x, y] = where(event);
      const from = begun;
      begun = null;
      if (from !== null && Math.abs(x - from) > 6) this.zoom([this.timeAt(Math.min(x, from)), this.timeAt(Math.max(x, from))]);
      else if (this.nearest(x, y) >= 0) copy(`frame.number == ${this.segments.number[this.shown[this.nearest(x, y)]]}`);
    });
    root.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (step && this.shown.length) {
        event.preventDefault();
        this.read(Math.max(0, Math.min(this.shown.length - 1, this.at + step)));
      } else if (event.key === "+" || event.key === "-") this.zoomBy(event.key === "+" ? 0.5 : 2);
      else if (event.key === "Enter" && this.at >= 0) copy(`frame.number == ${this.segments.number[this.shown[this.at]]}`);
    });
  }

  timeAt(x) {
    const view = this.range || this.whole;
    return view.from + ((x - MARGIN.left) / (this.width - MARGIN.left - MARGIN.right)) * (view.to - view.from);
  }

  nearest(x, y) {
    let best = -1;
    let least = Infinity;
    this.shown.forEach((at, place) => {
      const distance = Math.hypot(this.atX(this.segments.time[at]) - x, (this.atY(this.segments.offset[at]) - y) * 0.6);
      if (distance < least) [best, least] = [place, distance];
    });
    return best;
  }

  read(place) {
    if (place < 0) return;
    this.at = place;
    const at = this.shown[place];
    const { time, captured, number, offset, payload, flags, note } = this.segments;
    const said = Object.entries(SHAPES).find(([name]) => report.notes[name] === note[at]);
    this.overlay.replaceChildren(svg("circle", { class: "ring", cx: this.atX(time[at]), cy: this.atY(offset[at]), r: 8 }));
    const what = [flagNames(flags[at]), payload[at] ? `${bytes(payload[at])} from byte ${count(offset[at])} to ${count(this.end(at))}` : "no payload", said && said[1][0]].filter(Boolean).join(", ");
    this.readout.replaceChildren("Packet ", packet(number[at]), ` at ${since(captured[at])}: ${what}`);
  }

  zoomBy(factor) {
    const view = this.range || this.whole;
    const middle = this.at >= 0 && this.at < this.shown.length ? this.segments.time[this.shown[this.at]] : (view.from + view.to) / 2;
    const half = ((view.to - view.from) * factor) / 2;
    this.zoom([middle - half, middle + half]);
  }

  zoom(range) {
    const within = range && [Math.max(this.whole.from, range[0]), Math.min(this.whole.to, range[1])];
    this.range = within && within[1] - within[0] < this.whole.to - this.whole.from ? { from: within[0], to: Math.max(within[1], within[0] + 1) } : null;
    this.at = -1;
    this.draw();
  }
}
