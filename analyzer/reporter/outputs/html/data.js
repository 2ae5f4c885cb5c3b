// The data of the page: packed JSON (outputs/html/packing.py), unpacked when it is asked for.

const report = { rows: null, outcomes: {}, marks: {}, causes: {}, flows: {}, notes: {}, verified: false };
const KEPT_BLOCKS = 6;

async function unpack(base64) {
  const text = atob(base64);
  const data = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) data[at] = text.charCodeAt(at);
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

async function loadReport() {
  if (typeof DecompressionStream !== "function") {
    throw new Error("this browser is too old to unpack the connections: Firefox 113, Chrome 80, Safari 16.4 or newer can");
  }
  Object.assign(report, await unpack(byId("index").textContent));
  const { texts, columns, count: rows } = report.rows;
  report.columns = columns;
  report.texts = texts.map(visible);
  report.count = rows || 0;
  if (report.several) shortenCaptures();
}

// Of several captures, the folder and the end of the name that all have in common say nothing.
function shortenCaptures() {
  const numbers = [...new Set(report.columns.capture)];
  const paths = numbers.map((number) => report.texts[number].split("/"));
  if (paths.length < 2) return;
  const shortest = Math.min(...paths.map((path) => path.length)) - 1;
  const alike = (part) => paths.every((path) => part(path) === part(paths[0]));
  let before = 0;
  while (before < shortest && alike((path) => path[before])) before++;
  let after = 0;
  while (before + after < shortest && alike((path) => path[path.length - 1 - after])) after++;
  // A text that is also something else's keeps its number; captures get new ones.
  const shorter = new Map(numbers.map((number, at) => [number, report.texts.push(paths[at].slice(before, paths[at].length - after).join("/")) - 1]));
  report.columns.capture = report.columns.capture.map((number) => shorter.get(number));
}

// Blocks of one kind; the last few that were used stay unpacked.
class Store {
  constructor(kind) {
    this.elements = document.querySelectorAll(`script.${kind}`);
    this.unpacked = new Map();
  }

  async item(block, item) {
    if (block === undefined || block < 0) return null;
    let found = this.unpacked.get(block);
    this.unpacked.delete(block);
    if (!found) found = unpack(this.elements[block].textContent);
    this.unpacked.set(block, found);
    if (this.unpacked.size > KEPT_BLOCKS) this.unpacked.delete(this.unpacked.keys().next().value);
    return (await found)[item];
  }
}

let detailStore = null;
let segmentStore = null;

// The details of a row, its segments among them; null where the report had no more room.
async function detailsOf(row) {
  detailStore ||= new Store("details");
  segmentStore ||= new Store("segments");
  const found = await detailStore.item(report.columns.block[row], report.columns.item[row]);
  if (!found) return null;
  const packed = await segmentStore.item(report.segmentBlock[row], report.segmentItem[row]);
  return { ...found, segments: packed && segmentsOf(packed) };
}

function summed(differences) {
  let sum = 0;
  return differences.map((difference) => (sum += difference));
}

function segmentsOf(packed) {
  return { ...packed, number: summed(packed.number), time: summed(packed.time), count: packed.number.length };
}
