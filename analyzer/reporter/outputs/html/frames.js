// The bars of exchanges: over time (waiting, receiving), with the frames of HTTP/2 as ticks, or frame by frame, which
// shows the interleaving of streams where time is too coarse.

function timeAxis(exchanges) {
  let from = Infinity;
  let to = -Infinity;
  for (const one of exchanges) {
    for (const ns of [one.started_ns, one.first_byte_ns, one.finished_ns]) {
      if (ns !== null) [from, to] = [Math.min(from, ns), Math.max(to, ns)];
    }
  }
  if (!(to >= from)) [from, to] = [0, 1];
  const span = Math.max(to - from, 1) * 1.02;
  return { from, to: from + span, ticks: ticks(from, from + span, 5), label: (ns) => duration(ns), x: (ns) => ((ns - from) / span) * BAR };
}

function frameAxis(frames) {
  const span = Math.max(frames.length, 1);
  const byStream = new Map();
  frames.forEach(([stream, side, number], at) => {
    if (!byStream.has(stream)) byStream.set(stream, []);
    byStream.get(stream).push([at, side, number]);
  });
  return { from: 0, to: span, frames: byStream, ticks: ticks(0, span, 5).filter(Number.isInteger), label: (n) => (n ? `${count(n)}` : "frame 0"), x: (n) => (n / span) * BAR };
}

function axisLabels(axis) {
  const root = svg("svg", { viewBox: `0 0 ${BAR} 26`, preserveAspectRatio: "none", "aria-hidden": "true" });
  // Text would be stretched with the axis: it stands in elements of its own.
  const labels = el("div", { class: "labels" });
  labels.style.position = "relative";
  labels.style.height = "1.3em";
  for (const at of axis.ticks) {
    const label = el("span", {}, axis.label(at));
    label.style.position = "absolute";
    label.style.left = `${axis.x(at) / 10}%`;
    label.style.fontWeight = "400";
    label.style.transform = axis.x(at) > 850 ? "translateX(-100%)" : axis.x(at) < 40 ? "none" : "translateX(-50%)";
    labels.append(label);
  }
  root.remove();
  return labels;
}

function barCanvas(axis, label) {
  const root = svg("svg", { class: "bars", viewBox: `0 0 ${BAR} 26`, preserveAspectRatio: "none", role: "img", "aria-label": label });
  for (const at of axis.ticks) root.append(svg("line", { class: "grid", x1: axis.x(at), x2: axis.x(at), y1: 0, y2: 26, "vector-effect": "non-scaling-stroke" }));
  return root;
}

function box(kind, from, to, y, height) {
  return svg("rect", { class: kind, x: from, y, width: Math.max(to - from, 1.5), height, rx: 1 });
}

function timeBar(one, axis, frames, http) {
  const { started_ns: began, first_byte_ns: first, finished_ns: ended } = one;
  const known = [began, first, ended].filter((ns) => ns !== null);
  const label = began === null ? "no request was captured" : `begins ${since(began)}${first === null ? ", no response" : `, waits ${duration(first - began)}`}${ended === null || first === null ? "" : `, receives for ${duration(ended - first)}`}`;
  const root = barCanvas(axis, label);
  root.append(svg("title", {}, label));
  if (!known.length) return root;
  const start = began === null ? known[0] : began;
  const middle = first === null ? (ended === null ? start : ended) : first;
  const withFrames = one.stream !== null && frames && frames.length;
  root.append(box("wait", axis.x(start), axis.x(Math.max(middle, start)), 8, 10));
  if (first !== null) root.append(box("load", axis.x(first), axis.x(ended === null ? first : ended), 5, 16));
  for (const stall of http.stalls || []) {
    if (one.stream !== null && stall.stream === one.stream) root.append(box("stall", axis.x(stall.from_ns), axis.x(stall.from_ns + stall.length_ns), 21, 4));
  }
  if (withFrames) {
    for (const [stream, side, , ns] of frames) {
      if (stream === one.stream) root.append(svg("rect", { class: side ? "down" : "up", x: axis.x(ns) - 0.8, y: side ? 1 : 19, width: 1.6, height: 6 }));
    }
  }
  return root;
}

function frameBar(one, axis) {
  const mine = axis.frames.get(one.stream) || [];
  const label = mine.length ? `${plural(mine.length, "frame")}: numbers ${mine.slice(0, 12).map(([at]) => at).join(", ")}${mine.length > 12 ? " …" : ""}` : "none of the frames that were kept";
  const root = barCanvas(axis, label);
  root.append(svg("title", {}, label));
  if (mine.length) root.append(box("wait", axis.x(mine[0][0]), axis.x(mine[mine.length - 1][0] + 1), 11.5, 3));
  for (const [at, side, number] of mine) {
    const tick = box(side ? "down" : "up", axis.x(at), axis.x(at + 1), side ? 3 : 13, 10);
    tick.append(svg("title", {}, `frame ${at}, ${SIDES[side]}, packet ${number}`));
    root.append(tick);
  }
  return root;
}

function legendOfBars(streams, http) {
  const swatch = (kind, text) => el("li", {}, svg("svg", { class: "bars", viewBox: "0 0 24 12", "aria-hidden": "true" }, box(kind, 0, 22, 1, 10)), text);
  const items = [swatch("wait", "waiting for the first byte"), swatch("load", "receiving")];
  if (streams) items.push(swatch("up", "frame of the client (below)"), swatch("down", "frame of the server (above)"));
  if ((http.stalls || []).some((one) => one.stream)) items.push(swatch("stall", "held up by flow control"));
  return el("ul", { class: "key", "aria-label": "Colours" }, items);
}
