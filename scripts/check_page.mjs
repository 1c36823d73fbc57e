// Uses the page of graft serve, or the one that graft export --web writes, in headless Chromium, at the width of a desk's
// screen and of a phone, light and dark: a photograph chosen, several, pasted, and one from a camera that Chromium makes up.
// It fails on: an answer that does not come, an error on the console, a request elsewhere, a page that scrolls sideways, and
// what axe finds of names, contrast and structure. Screenshots go to a folder.
//
// node scripts/check_page.mjs http://127.0.0.1:8080 screenshots photo.png more.png…   (scripts/check_serve starts it)
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const require = createRequire(join(process.env.MODULES ?? process.cwd(), 'x.js'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [address, out, ...photos] = process.argv.slice(2);
mkdirSync(out, { recursive: true });

const patience = Number(process.env.PATIENCE ?? 120_000); // ms, of a machine that is busy
const faults = [];
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', timeout: patience,
  args: ['--no-sandbox', '--disable-gpu', '--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'],
});

// visit opens the page and fails on what no page may do.
async function visit(name, options) {
  const fault = (what) => faults.push(`${name}: ${what}`);
  const context = await browser.newContext({ reducedMotion: 'reduce', permissions: ['camera'], ...options });
  const tab = await context.newPage();
  tab.setDefaultTimeout(patience);
  tab.on('console', m => { if (['error', 'warning'].includes(m.type())) fault(`console: ${m.text()}`); });
  tab.on('pageerror', e => fault(`script: ${e.message}`));
  tab.on('request', r => { if (!r.url().startsWith(address) && !/^(data|blob):/.test(r.url())) fault(`request for ${r.url().slice(0, 80)}`); });
  await tab.goto(address, { waitUntil: 'load' });
  await tab.locator('body[data-ready=yes]').waitFor();
  return { context, tab, fault };
}

// answered waits until everything was told of the photograph that is shown.
async function answered(tab) {
  await tab.locator('#bars li').first().waitFor();
  if (await tab.locator('#evidence').isVisible() && !(await tab.locator('#faces').isChecked())) await tab.locator('#explain').waitFor();
  return (await tab.locator('#verdict').innerText()).trim();
}

if (photos[1] === 'refused') { // scripts/check_web made the page wrong: it must say so and show nothing
  const tab = await browser.newPage();
  await tab.goto(address);
  await tab.locator('#status.fault').waitFor({ timeout: patience });
  await tab.locator('#file').setInputFiles(photos[0]);
  await tab.waitForTimeout(1000);
  if (await tab.locator('#bars').isVisible()) faults.push('a page that is wrong shows an answer');
  console.log(`refused: ${await tab.locator('#status').innerText()}`);
  await browser.close();
  for (const f of faults) console.log('FAULT ' + f);
  process.exit(faults.length ? 1 : 0);
}

for (const width of [1280, 390]) {
  for (const colorScheme of ['light', 'dark']) {
    const name = `${width}-${colorScheme}`;
    // The page's own policy would keep axe out; a visit without axe proves that it holds.
    const { context, tab, fault } = await visit(name, { viewport: { width, height: width > 500 ? 900 : 844 }, colorScheme, bypassCSP: true });
    const look = async (state) => {
      const wide = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (wide > 0) fault(`${state}: scrolls sideways by ${wide} pixels`);
      await tab.screenshot({ path: join(out, `${name}-${state}.png`), fullPage: true });
      await tab.addScriptTag({ content: axe });
      const found = await tab.evaluate(() => window.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'] }));
      for (const v of found.violations) fault(`${state}: ${v.id}: ${v.help}; ${v.nodes.length} of them, such as ${v.nodes[0].html.slice(0, 160)}`);
    };
    await look('empty');
    await tab.locator('#file').setInputFiles(photos[0]);
    console.log(`${name}: ${await answered(tab)}`);
    await look('photo');
    if (photos.length > 1) {
      await tab.locator('#file').setInputFiles(photos);
      await tab.waitForFunction((n) => [...document.querySelectorAll('#strip button')].filter(b => !/waiting$/.test(b.ariaLabel)).length === n, photos.length);
      await tab.locator('#strip button').last().click();
      await answered(tab);
      await look('several');
    }
    if (await tab.locator('#faces-setting').isVisible()) {
      await tab.locator('#file').setInputFiles(photos.at(-1));
      await tab.locator('#faces').check();
      await tab.waitForFunction(() => document.getElementById('status').textContent !== 'Looking…' && !document.getElementById('verdict').hidden);
      await look('faces');
    }
    await context.close();
  }
}

// With its policy: pasted, from the keyboard alone, and from the camera.
const { context, tab, fault } = await visit('with its policy', {});
await tab.evaluate((bytes) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(bytes)], 'pasted.png', { type: 'image/png' }));
  document.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true }));
}, [...readFileSync(photos[0])]);
console.log(`pasted: ${await answered(tab)}`);
const reached = [];
await tab.evaluate(() => document.activeElement.blur());
for (let i = 0; i < 12; i++) {
  await tab.keyboard.press('Tab');
  reached.push(await tab.evaluate(() => document.activeElement.id));
}
for (const id of ['file', 'paste', 'camera-start', 'evidence']) {
  if (!reached.includes(id) && await tab.locator(`#${id}`).isVisible()) fault(`the keyboard does not reach ${id}: ${reached}`);
}
await tab.locator('#camera-start').focus();
await tab.keyboard.press('Enter');
await tab.locator('#camera').waitFor();
await tab.waitForFunction(() => document.getElementById('camera').videoWidth > 0);
await tab.screenshot({ path: join(out, 'camera.png'), fullPage: true });
await tab.locator('#camera-take').focus();
await tab.keyboard.press('Enter');
await tab.waitForFunction(() => document.getElementById('photo').getAttribute('aria-label').startsWith('Photograph camera'));
console.log(`camera: ${await answered(tab)}`);
await tab.screenshot({ path: join(out, 'camera-taken.png'), fullPage: true });
await tab.locator('#camera-start').click();
await tab.locator('#live').check();
await tab.locator('#timing').waitFor();
await tab.locator('#camera-stop').click();
if (!(await tab.locator('#camera').isHidden())) fault('the camera does not stop');
if (process.env.OFFLINE) { // a site goes on without its server once it was opened
  await tab.evaluate(() => navigator.serviceWorker.ready);
  await tab.waitForFunction(async (n) => (await (await caches.open((await caches.keys())[0])).keys()).length >= n, 10);
  await context.setOffline(true);
  await tab.reload();
  await tab.locator('body[data-ready=yes]').waitFor();
  await tab.locator('#file').setInputFiles(photos[0]);
  console.log(`offline: ${await answered(tab)}`);
}
await context.close();
await browser.close();
for (const f of faults) console.log('FAULT ' + f);
process.exit(faults.length ? 1 : 0);
