"use strict";
// How numbers and texts are written; the same words as on a terminal (reporter/words.py).

const SIDES = ["client", "server"];

function count(number) {
  return number.toLocaleString("en-US");
}

function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

function digits(value) {
  const size = Math.abs(value);
  if (size < 0.1) return value.toFixed(3);
  return size < 9.995 ? value.toFixed(2) : size < 99.95 ? value.toFixed(1) : value.toFixed(0);
}

function duration(ns) {
  if (ns === 0) return "0 ms";
  if (Math.abs(ns) < 999500000) return `${digits(ns / 1e6)} ms`;
  if (Math.abs(ns) < 60e9) return `${digits(ns / 1e9)} s`;
  if (ns < 0) return `-${duration(-ns)}`;
  const seconds = Math.round(ns / 1e9);
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${String(seconds % 60).padStart(2, "0")} s`;
  return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

function since(ns) {
  return `${ns < 0 ? "" : "+"}${(ns / 1e6).toLocaleString("en-US", { minimumFractionDigits: 3, maximumFractionDigits: 3 })} ms`;
}

function bytes(number) {
  if (number < 1000) return `${number} B`;
  let value = number;
  for (const unit of ["kB", "MB", "GB", "TB"]) {
    value /= 1000;
    if (value < 999.5 || unit === "TB") {
      return `${value < 9.995 ? value.toFixed(2) : value < 99.95 ? value.toFixed(1) : value.toFixed(0)} ${unit}`;
    }
  }
  return "";
}

function endpoint(of) {
  const address = visible(of.address);
  return address.includes(":") ? `[${address}]:${of.port}` : `${address}:${of.port}`;
}

function clock(start) {
  return `${start.replace("T", " ").replace("Z", "")} UTC`;
}

// Text of a capture with every character that could act on the reader written out: controls, bidirectional overrides,
// what has no width, private use, surrogates.
function visible(text) {
  return String(text).replace(/[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/gu, (one) => {
    const short = { "\n": "\\n", "\r": "\\r", "\t": "\\t" }[one];
    if (short) return short;
    const code = one.codePointAt(0);
    if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
    return code <= 0xffff ? `\\u${code.toString(16).padStart(4, "0")}` : `\\U${code.toString(16).padStart(8, "0")}`;
  });
}

function flowName(flow) {
  return visible(flow.slice(flow.indexOf("/") + 1));
}

// The outcome for people, as words.outcome has it.
function outcomeOf(verdict) {
  return verdict.cause === "never-opened" ? "never opened" : verdict.outcome;
}

function verdictWord(verdict) {
  if (verdict.cause === "never-opened") return "never opened";
  if (verdict.flow && verdict.outcome === "incomplete") return `${flowName(verdict.flow)} (${verdict.cause || "incomplete"})`;
  if (verdict.flow) return flowName(verdict.flow);
  return verdict.outcome === "diverged" ? "diverged" : verdict.cause || verdict.outcome;
}

function className(outcome) {
  return `o-${outcome.replace(/ /g, "-")}`;
}
