// Opens a page of graft export --snippets in headless Chromium and prints, as JSON, the probabilities that it gives for
// photographs. The page's folder is served with MODULES as its node_modules.
//
// node scripts/check_snippets.mjs page.html photo.jpg …
import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { readFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';

const modules = process.env.MODULES ?? join(process.cwd(), 'node_modules');
const { chromium } = createRequire(join(modules, 'x.js'))('playwright-core');
const [page, ...photos] = process.argv.slice(2);
const types = { '.html': 'text/html', '.mjs': 'text/javascript', '.wasm': 'application/wasm' };
const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, 'http://x').pathname).replaceAll('..', '');
  const photo = /^\/photo\/(\d+)$/.exec(path);
  try {
    const body = readFileSync(photo ? photos[photo[1]] : path.startsWith('/node_modules/') ? join(modules, path.slice(14)) : join(dirname(page), path));
    response.writeHead(200, { 'content-type': types[extname(path)] ?? 'application/octet-stream' }).end(body);
  } catch {
    response.writeHead(404).end();
  }
});
await new Promise(ready => server.listen(0, '127.0.0.1', ready));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'], timeout: 240_000 });
const tab = await browser.newPage(), faults = [];
tab.on('pageerror', e => faults.push(e.message));
await tab.goto(`http://127.0.0.1:${server.address().port}/${encodeURIComponent(basename(page))}`);
await tab.waitForFunction(() => window.classify, null, { timeout: 240_000 }).catch(e => faults.push(String(e)));
const answers = {};
for (const [i, photo] of faults.length ? [] : photos.entries()) {
  answers[photo] = await tab.evaluate(async i => window.classify(await (await fetch(`/photo/${i}`)).blob()), i);
}
await browser.close();
server.close();
if (faults.length) {
  console.error(faults.join('\n'));
  process.exit(1);
}
console.log(JSON.stringify(answers));
