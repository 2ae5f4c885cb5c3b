// Scales and axes for drawings with numbers on both sides.

function ticks(from, to, wanted) {
  const span = to - from;
  if (!(span > 0)) return [from];
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((one) => one >= rough);
  const found = [];
  for (let at = Math.ceil(from / step) * step; at <= to + step * 1e-9; at += step) found.push(Math.abs(at) < step * 1e-9 ? 0 : at);
  return found;
}

function scale(from, to, low, high) {
  const span = to - from || 1;
  return (value) => low + ((value - from) / span) * (high - low);
}

// A frame with grid and labels; `x` and `y` have { from, to, label, title }.
function plotFrame(width, height, margin, x, y) {
  const root = svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img" });
  const atX = scale(x.from, x.to, margin.left, width - margin.right);
  const atY = scale(y.from, y.to, height - margin.bottom, margin.top);
  for (const value of ticks(x.from, x.to, Math.max(3, Math.min(7, width / 130)))) {
    root.append(svg("line", { class: "grid", x1: atX(value), x2: atX(value), y1: margin.top, y2: height - margin.bottom }));
    root.append(svg("text", { x: atX(value), y: height - margin.bottom + 16, "text-anchor": "middle" }, x.label(value)));
  }
  for (const value of ticks(y.from, y.to, 6)) {
    root.append(svg("line", { class: "grid", x1: margin.left, x2: width - margin.right, y1: atY(value), y2: atY(value) }));
    root.append(svg("text", { x: margin.left - 8, y: atY(value) + 4, "text-anchor": "end" }, y.label(value)));
  }
  root.append(svg("rect", { class: "frame", x: margin.left, y: margin.top, width: width - margin.left - margin.right, height: height - margin.top - margin.bottom }));
  root.append(svg("text", { x: width - margin.right, y: height - 6, "text-anchor": "end" }, x.title), svg("text", { x: margin.left, y: margin.top - 8 }, y.title));
  return { root, atX, atY };
}
