// Opens a report in headless Chromium, at the width of a desk's screen and of a phone, light
// and dark, and fails on: an error on the console, a request, a page that scrolls sideways,
// and what axe finds of names, contrast and structure. Screenshots go to a folder.
//
// node scripts/check_report.mjs report.html screenshots   (scripts/elsewhere brings what it needs)
import { createRequire } from 'node:module';
import { mkdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const require = createRequire(join(process.env.MODULES ?? process.cwd(), 'x.js'));
const { chromium } = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const [page = 'report.html', out = 'screenshots'] = process.argv.slice(2);
const address = pathToFileURL(resolve(page)).href;
mkdirSync(out, { recursive: true });

const patience = 240_000; // ms, of a machine that is busy
const faults = [];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'], timeout: patience });
for (const width of [1280, 390]) {
  for (const colorScheme of ['light', 'dark']) {
    const name = `${width}-${colorScheme}`, fault = (what) => faults.push(`${name}: ${what}`);
    // The page's own policy would keep axe out; a first look without it proves that it holds.
    const context = await browser.newContext({ viewport: { width, height: width > 500 ? 900 : 844 }, colorScheme, reducedMotion: 'reduce', bypassCSP: true });
    const tab = await context.newPage();
    tab.setDefaultTimeout(patience);
    tab.on('console', m => { if (['error', 'warning'].includes(m.type())) fault(`console: ${m.text()}`); });
    tab.on('pageerror', e => fault(`script: ${e.message}`));
    tab.on('request', r => { if (r.url() !== address && !r.url().startsWith('data:')) fault(`request for ${r.url().slice(0, 80)}`); });
    const start = Date.now();
    await tab.goto(address, { waitUntil: 'load' });
    console.log(`${name}: opened in ${Date.now() - start} ms`);
    const wide = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (wide > 0) fault(`scrolls sideways by ${wide} pixels`);
    await tab.screenshot({ path: join(out, `${name}.png`), fullPage: true });
    await tab.evaluate(() => document.querySelectorAll('.fold').forEach(d => { d.open = true; }));
    const cell = tab.locator('.matrix td.wrong a').first();
    if (await cell.count()) {
      await cell.click();
      if (!(await tab.locator('.cell:target .face').first().isVisible())) fault('a number of the confusion matrix opens no faces');
      await tab.screenshot({ path: join(out, `${name}-cell.png`) });
    }
    const point = tab.locator('.plane circle').nth(40);
    if (await point.count()) {
      await point.scrollIntoViewIfNeeded();
      await point.hover({ force: true });
      const card = tab.locator('.card');
      if (!(await card.isVisible()) || !(await card.innerText()).trim()) fault('a point of the map tells nothing');
      await tab.locator('input[value=verdict], input[value=split]').last().check();
      await tab.screenshot({ path: join(out, `${name}-map.png`) });
    }
    await tab.evaluate(() => { for (const d of document.querySelectorAll('details')) d.open = true; });
    const opened = await tab.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    if (opened > 0) fault(`scrolls sideways by ${opened} pixels with everything open`);
    await tab.addScriptTag({ content: axe });
    const found = await tab.evaluate(() => window.axe.run(document, { resultTypes: ['violations'], runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa', 'best-practice'] }));
    for (const v of found.violations) fault(`${v.id}: ${v.help}; ${v.nodes.length} of them, such as ${v.nodes[0].html.slice(0, 160)} (${v.nodes[0].failureSummary?.split('\n')[1]?.trim()})`);
    await context.close();
  }
}
// Once with the policy, and on paper.
const context = await browser.newContext();
const tab = await context.newPage();
tab.on('console', m => { if (m.type() === 'error') faults.push(`with its policy: ${m.text()}`); });
await tab.goto(address);
await tab.pdf({ path: join(out, 'paper.pdf') });
await browser.close();
for (const f of faults) console.log('FAULT ' + f);
process.exit(faults.length ? 1 : 0);
