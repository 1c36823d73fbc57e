// The page's model runs in this browser. Every file is checked against the hash in site.json before it is used, and nothing is
// answered unless a built-in photograph gets the answer that graft gave it.
export class Refused extends Error {}
export function giveToken() {}

const here = (name) => new URL(name, import.meta.url).href;
let site, session, ort;

// verified is a file's bytes, if they are those that were written.
async function verified(name) {
  const answer = await fetch(here(name));
  if (!answer.ok) throw new Refused(`${name} could not be loaded (status ${answer.status})`);
  const bytes = await answer.arrayBuffer();
  const hash = [...new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))].map((b) => b.toString(16).padStart(2, '0')).join('');
  if (hash !== site.files[name]) throw new Refused(`${name} is not the file that graft wrote here: its SHA-256 is ${hash}`);
  return bytes;
}

export async function about(step) {
  if (!globalThis.isSecureContext) throw new Refused('a browser runs this page from https or from this machine (localhost) alone');
  site = await (await fetch(here('site.json'))).json();
  navigator.serviceWorker?.register(here('sw.js')).catch(() => {}); // without one the page is not offline, but right
  step('Loading the model…');
  for (const name of Object.keys(site.files)) if (name.endsWith('js')) await verified(name);
  ort = await import(here('ort.wasm.min.mjs'));
  ort.env.wasm.numThreads = 1; // more need headers that a folder of files does not send
  ort.env.wasm.wasmPaths = here('./');
  ort.env.wasm.wasmBinary = await verified('ort-wasm-simd-threaded.wasm');
  session = await ort.InferenceSession.create(new Uint8Array(await verified('model.onnx')), { executionProviders: ['wasm'] });
  step('Comparing with graft…');
  const photo = await verified('check.png');
  const { probabilities } = await run(await pixels(new Blob([photo], { type: 'image/png' })));
  const off = Math.max(...probabilities.map((p, i) => Math.abs(p - site.check[i])));
  if (!(off <= site.tolerance)) throw new Refused(`this browser and graft differ by ${off} about the built-in photograph, more than ${site.tolerance}; nothing is shown`);
  return { ...site, faces: false, evidence: site.evidence !== '', privacy: 'Photographs stay in this browser. The page works offline once it was opened.' };
}

// pixels is an upright photograph as the model takes it: [1,H,W,3].
async function pixels(file) {
  let bitmap;
  try {
    bitmap = await createImageBitmap(file, { colorSpaceConversion: 'none' });
  } catch {
    throw new Refused('the browser does not know this kind of image');
  }
  const { width, height } = bitmap;
  if (width * height > site.pixels) throw new Refused(`the photograph has ${width} × ${height} pixels, more than ${site.pixels}`);
  const canvas = new OffscreenCanvas(width, height), c = canvas.getContext('2d', { willReadFrequently: true });
  c.drawImage(bitmap, 0, 0);
  bitmap.close();
  const rgba = c.getImageData(0, 0, width, height).data, data = new Uint8Array(3 * width * height);
  for (let i = 0, j = 0; i < rgba.length; i += 4) {
    data[j++] = rgba[i];
    data[j++] = rgba[i + 1];
    data[j++] = rgba[i + 2];
  }
  return { width, height, data };
}

// run gives the probabilities, and all outputs.
async function run({ width, height, data }) {
  const outputs = await session.run({ pixels: new ort.Tensor('uint8', data, [1, height, width, 3]) });
  return { outputs, probabilities: [...outputs.probabilities.data] };
}

// part is what the network sees of a photograph, as preprocess.Spec.Part: left, top, width, height.
function part(w, h) {
  const even = (x) => { const f = Math.floor(x); return x - f === 0.5 ? f + (f % 2) : Math.round(x); };
  const { size, crop, host, aspect } = site.seen;
  if (!host && h === w && h <= size) return [0, 0, w, h];
  const kh = Math.min(h, aspect * w), kw = Math.min(w, aspect * h), top = Math.floor((h - kh) / 2), left = Math.floor((w - kw) / 2);
  let rh = Math.floor(size / crop), rw = rh;
  if (kw > kh) rw = Math.max(rw, Math.floor(rh * kw / kh));
  else rh = Math.max(rh, Math.floor(rw * kh / kw));
  const across = kw / rw, down = kh / rh;
  return [left + even((rw - size) / 2) * across, top + even((rh - size) / 2) * down, size * across, size * down];
}

// evidence is a map of the photograph: attention followed from the class token through all blocks (rollout, Abnar and
// Zuidema 2020), or the last layer's maps.
function evidence(outputs) {
  if (outputs.maps) {
    const [, rows, columns] = outputs.maps.dims;
    return { rows, columns, values: aboveLeast([...outputs.maps.data.slice(0, rows * columns)]), explain: site.evidence };
  }
  const blocks = Object.keys(outputs).filter((k) => k.startsWith('attention_')).length;
  if (!blocks) return undefined;
  const t = outputs['attention_0'].dims[2], side = Math.floor(Math.sqrt(t)), prefix = t - side * side;
  let row = new Float64Array(t).fill(prefix ? 0 : 1 / t);
  if (prefix) row[0] = 1;
  for (let b = blocks - 1; b >= 0; b--) {
    const { data, dims } = outputs[`attention_${b}`];
    const next = row.map((v) => v / 2);
    for (let i = 0; i < dims[1]; i++) for (let j = 0; j < t; j++) next[j] += row[i] * data[i * t + j] / 2;
    row = next;
  }
  return { rows: side, columns: side, values: aboveLeast([...row.slice(prefix)]), explain: site.evidence };
}

// aboveLeast takes away what all places have: every token reaches every other one a little.
function aboveLeast(values) {
  const least = Math.min(...values);
  return values.map((v) => v - least);
}

const told = new WeakMap(); // of each file, so that its evidence needs no second run

export async function predict(file, { evidence: wanted }) {
  const start = performance.now();
  if (!told.has(file)) {
    const { width, height, data } = await pixels(file);
    told.set(file, { photo: { width, height }, ...(await run({ width, height, data })) });
  }
  const { photo, outputs, probabilities } = told.get(file);
  const scores = probabilities.map((probability, i) => ({ label: site.labels[i], probability })).sort((a, b) => b.probability - a.probability);
  const one = { image: file.name ?? '', label: scores[0].label, scores, width: photo.width, height: photo.height };
  if (wanted) {
    one.evidence = evidence(outputs);
    one.seen = part(photo.width, photo.height);
  }
  return { predictions: [one], seconds: (performance.now() - start) / 1000 };
}
