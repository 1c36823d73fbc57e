import { about, giveToken, predict, Refused } from './backend.js';

const at = (id) => document.getElementById(id);
const show = (id, yes) => { at(id).hidden = !yes; };
const photo = at('photo'), camera = at('camera');

let known;          // of the model
let items = [];     // photographs: {file, name, bitmap, answer, error}
let shown = -1;     // index of items
let face = 0;       // index of its predictions
let turn = 0;       // a newer request makes older answers void

function say(text, fault = false) {
  at('status').textContent = text;
  at('status').classList.toggle('fault', fault);
}

const percent = (p) => (100 * p).toFixed(1) + ' %';
const millis = (s) => (1000 * s < 10 ? (1000 * s).toFixed(1) : Math.round(1000 * s)) + ' ms';

async function start() {
  try {
    known = await about((step) => say(step));
  } catch (e) {
    fail(e);
    return;
  }
  show('token-form', false);
  document.title = `${known.model} · graft`;
  at('model').textContent = `${known.model} · ${known.labels.length} classes: ${known.labels.slice(0, 10).join(', ')}${known.labels.length > 10 ? ', …' : ''}`;
  at('privacy').textContent = known.privacy;
  show('faces-setting', known.faces);
  show('evidence-setting', known.evidence);
  at('notes').replaceChildren(...known.notes.map((n) => element('li', n)));
  show('notes', known.notes.length > 0);
  say('Waiting for a photograph.');
  document.body.dataset.ready = 'yes';
}

function fail(e) {
  const wanted = e instanceof Refused && e.token;
  show('token-form', wanted);
  if (wanted) at('token').focus();
  say(e instanceof Refused ? `Not answered: ${e.message}` : `Something is wrong with this page: ${e.message}`, true);
}

function element(name, text = '', kind = '') {
  const e = document.createElement(name);
  e.textContent = text;
  if (kind) e.className = kind;
  return e;
}

// take shows files and has them classified, one after the other.
async function take(files) {
  if (!document.body.dataset.ready) return; // nothing is known of the model, and the page says why
  const list = [...files].filter((f) => f.type.startsWith('image/') || f.type === '');
  if (!list.length) { say('That is no image.', true); return; }
  const mine = ++turn;
  for (const i of items) i.bitmap?.close();
  items = list.map((file) => ({ file, name: file.name || 'pasted photograph' }));
  shown = -1;
  await classifyAll(mine);
}

// classifyAll has one photograph after the other looked at, until a newer turn begins.
async function classifyAll(mine) {
  const list = items;
  for (let i = 0; i < list.length && mine === turn; i++) {
    if (list[i].bitmap === undefined) await decode(list[i]);
    if (mine !== turn) return;
    if (shown < 0) select(i);
    await classify(list[i], mine);
  }
}

async function decode(item) {
  try {
    item.bitmap = await createImageBitmap(item.file);
  } catch {
    item.bitmap = null; // a kind that the model may know all the same
  }
}

async function classify(item, mine) {
  if (items[shown] === item) say('Looking…');
  const start = performance.now();
  item.error = undefined;
  try {
    const faces = known.faces && at('faces').checked;
    // The answer first; what the network looks at takes longer.
    const answer = await patient(() => predict(item.file, { faces, evidence: false }), mine);
    if (mine !== turn) return;
    item.answer = answer;
    item.took = (performance.now() - start) / 1000;
    redraw(item);
    if (known.evidence && at('evidence').checked && !faces) {
      let told;
      try {
        [told] = (await patient(() => predict(item.file, { faces: false, evidence: true }), mine)).predictions;
      } catch (e) {
        told = { evidence_error: e.message }; // the answer stands all the same
      }
      if (mine !== turn) return;
      Object.assign(item.answer.predictions[0], { evidence: told.evidence, seen: told.seen, evidence_error: told.evidence_error });
    }
  } catch (e) {
    if (mine !== turn) return;
    item.error = e;
  }
  redraw(item);
}

// patient asks again a few times when the server has too much to do.
async function patient(ask, mine) {
  for (let i = 0; ; i++) {
    try {
      return await ask();
    } catch (e) {
      if (!(e instanceof Refused && e.again) || i === 5 || mine !== turn) throw e;
      await new Promise((done) => setTimeout(done, 1000 * e.again));
    }
  }
}

function select(i) {
  shown = i;
  face = 0;
  redraw(items[i]);
}

function redraw(item) {
  strip();
  if (items[shown] !== item) return;
  draw(item);
  tell(item);
}

// draw paints the photograph, what the network looks at, and the faces.
function draw(item) {
  const live = !camera.hidden;
  show('photo', item.bitmap && !live);
  show('invite', !live);
  at('invite').textContent = item.bitmap ? 'Another one: drop it here, paste it, or' : 'Drop a photograph here, paste one, or';
  if (!item.bitmap) return;
  const scale = Math.max(1, Math.min(8, 320 / Math.max(item.bitmap.width, item.bitmap.height)));
  photo.width = item.bitmap.width * scale;
  photo.height = item.bitmap.height * scale;
  const c = photo.getContext('2d');
  c.imageSmoothingEnabled = scale < 3;
  c.drawImage(item.bitmap, 0, 0, photo.width, photo.height);
  const list = item.answer?.predictions ?? [];
  if (at('evidence').checked && list[0]?.evidence) heat(c, list[0], scale);
  list.forEach((p, i) => p.face && box(c, p.face, i, scale));
  photo.setAttribute('aria-label', `Photograph ${item.name}${list[face]?.label ? `: ${list[face].label}` : ''}`);
}

// heat lays the evidence over the part of the photograph that the network sees.
function heat(c, { evidence, seen }, scale) {
  const most = Math.max(...evidence.values);
  if (!(most > 0)) return;
  const small = new OffscreenCanvas(evidence.columns, evidence.rows), s = small.getContext('2d');
  const pixels = s.createImageData(evidence.columns, evidence.rows);
  evidence.values.forEach((v, i) => {
    const p = v / most;
    pixels.data.set([255, Math.round(200 * (1 - p)), 0, Math.round(190 * p)], 4 * i);
  });
  s.putImageData(pixels, 0, 0);
  c.save();
  c.imageSmoothingEnabled = true;
  c.imageSmoothingQuality = 'high';
  c.drawImage(small, ...seen.map((v) => v * scale));
  c.restore();
}

function box(c, f, i, scale) {
  const width = Math.max(2, photo.width / 300), size = Math.max(14, photo.width / 40);
  c.lineWidth = width;
  c.strokeStyle = i === face ? '#ffb000' : '#fff';
  c.strokeRect(f.x * scale, f.y * scale, f.width * scale, f.height * scale);
  c.font = `600 ${size}px system-ui, sans-serif`;
  c.fillStyle = '#000';
  c.fillRect(f.x * scale, f.y * scale, size * 1.2, size * 1.3);
  c.fillStyle = '#fff';
  c.fillText(i + 1, f.x * scale + size * 0.3, f.y * scale + size);
}

// tell writes the answer.
function tell(item) {
  const list = item.answer?.predictions ?? [], p = list[Math.min(face, list.length - 1)];
  const answered = !item.error && p && !p.error;
  if (item.error) fail(item.error);
  else if (p?.error) say(`Not answered: ${p.error}`, true);
  else if (p) say('');
  show('verdict', answered);
  show('bars', answered && p.scores);
  show('timing', answered);
  const evidence = answered && at('evidence').checked && p.evidence;
  show('explain', evidence || answered && p.evidence_error);
  const many = answered && list.length > 1;
  show('found', many);
  if (!answered) return;
  if (many) {
    at('found').replaceChildren(...list.map((one, i) => {
      const b = element('button', `Face ${i + 1}: ${one.label}`);
      b.type = 'button';
      b.setAttribute('aria-pressed', i === face);
      b.addEventListener('click', () => { face = i; redraw(item); at('found').children[i].firstChild.focus(); });
      const li = element('li');
      li.append(b);
      return li;
    }));
  }
  at('verdict').textContent = p.scores ? `${p.label} ${percent(p.scores[0].probability)}` : `${p.label} was found; without “Each face” the whole photograph is classified.`;
  at('bars').replaceChildren(...(p.scores ?? []).slice(0, 20).map((s) => {
    const li = element('li'), track = element('span', '', 'track'), bar = element('span');
    track.setAttribute('aria-hidden', 'true');
    bar.style.width = percent(s.probability).replace(' ', '');
    track.append(bar);
    li.append(element('span', s.label, 'label'), element('span', percent(s.probability), 'value'), track);
    return li;
  }));
  if (answered && p.evidence_error) at('explain').textContent = `Not shown: ${p.evidence_error}.`;
  if (evidence) {
    at('explain').textContent = p.evidence.explain ?? (Math.max(...p.evidence.values) > 0
      ? `Coloured: where ${p.evidence.class} is recognised (${p.evidence.layer}, ${p.evidence.rows} × ${p.evidence.columns} places).`
      : `Nothing in the photograph speaks for ${p.label}.`);
  }
  at('timing').textContent = `Answered in ${millis(item.took)}, of which the model's side took ${millis(item.answer.seconds)}.`;
}

// strip lists several photographs.
function strip() {
  show('strip', items.length > 1);
  if (items.length < 2) return;
  at('strip').replaceChildren(...items.map((item, i) => {
    const b = element('button'), c = element('canvas');
    b.type = 'button';
    b.setAttribute('aria-pressed', i === shown);
    c.width = c.height = 160;
    c.setAttribute('aria-hidden', 'true');
    if (item.bitmap) {
      const side = Math.min(item.bitmap.width, item.bitmap.height);
      c.getContext('2d').drawImage(item.bitmap, (item.bitmap.width - side) / 2, (item.bitmap.height - side) / 2, side, side, 0, 0, 160, 160);
    }
    const p = item.answer?.predictions[0];
    b.append(c, element('span', item.error || p?.error ? 'not answered' : p?.label ?? '…'));
    b.setAttribute('aria-label', `${item.name}: ${item.error || p?.error ? 'not answered' : p?.label ?? 'waiting'}`);
    b.addEventListener('click', () => { select(i); at('strip').children[i].firstChild.focus(); });
    const li = element('li');
    li.append(b);
    return li;
  }));
}

at('file').addEventListener('change', (e) => { if (e.target.files.length) take(e.target.files); e.target.value = ''; });
for (const kind of ['dragover', 'dragleave', 'drop']) {
  document.addEventListener(kind, (e) => {
    e.preventDefault();
    at('drop').classList.toggle('over', kind === 'dragover');
    if (kind === 'drop' && e.dataTransfer.files.length) take(e.dataTransfer.files);
  });
}
document.addEventListener('paste', (e) => { if (e.clipboardData.files.length) take(e.clipboardData.files); });
at('paste').addEventListener('click', async () => {
  try {
    for (const entry of await navigator.clipboard.read()) {
      const type = entry.types.find((t) => t.startsWith('image/'));
      if (type) { take([await entry.getType(type)]); return; }
    }
    say('The clipboard holds no image.', true);
  } catch {
    say('The browser keeps the clipboard to itself; press Ctrl+V or ⌘V instead.', true);
  }
});

at('camera-start').addEventListener('click', async () => {
  try {
    camera.srcObject = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'user' } });
    await camera.play();
  } catch (e) {
    say(`No camera: ${e.message}`, true);
    return;
  }
  watching(true);
  at('camera-take').focus();
});
at('camera-stop').addEventListener('click', () => { watching(false); at('camera-start').focus(); });
at('camera-take').addEventListener('click', () => snap());
at('live').addEventListener('change', live);

function watching(yes) {
  for (const id of ['camera', 'camera-take', 'camera-stop', 'live-setting']) show(id, yes);
  show('camera-start', !yes);
  show('invite', !yes);
  if (yes) { show('photo', false); return; }
  at('live').checked = false;
  for (const track of camera.srcObject?.getTracks() ?? []) track.stop();
  camera.srcObject = null;
  if (items[shown]) redraw(items[shown]);
}

// snap classifies what the camera sees, and shows it in the camera's place unless it goes on.
async function snap() {
  const c = new OffscreenCanvas(camera.videoWidth, camera.videoHeight);
  c.getContext('2d').drawImage(camera, 0, 0);
  const file = new File([await c.convertToBlob({ type: 'image/jpeg', quality: 0.92 })], 'camera', { type: 'image/jpeg' });
  if (!at('live').checked) watching(false);
  await take([file]);
}

async function live() {
  while (at('live').checked && camera.srcObject) {
    await snap();
    await new Promise((done) => setTimeout(done, 100));
  }
}

for (const id of ['faces', 'evidence']) {
  at(id).addEventListener('change', () => {
    const mine = ++turn;
    face = 0;
    classifyAll(mine);
  });
}
at('token-form').addEventListener('submit', (e) => { e.preventDefault(); giveToken(at('token').value); start(); });

start();
