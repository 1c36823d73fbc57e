// Runs ONNX files in onnxruntime-web in headless Chromium, for check_engines.py: WASM, or WebGPU on whatever Vulkan driver
// VK_DRIVER_FILES names. On WebGPU the whole graph has to run there; what is left to WASM is told as a refusal.
//
// node scripts/check_engines.mjs wasm|webgpu jobs.json results.json
import { createRequire } from 'node:module';
import { createServer } from 'node:http';
import { readFileSync, writeFileSync } from 'node:fs';
import { extname, join } from 'node:path';

const modules = process.env.MODULES ?? join(process.cwd(), 'node_modules');
const { chromium } = createRequire(join(modules, 'x.js'))('playwright-core');
const [provider, listed, out] = process.argv.slice(2);
const jobs = JSON.parse(readFileSync(listed, 'utf8'));
const types = { '.mjs': 'text/javascript', '.wasm': 'application/wasm', '.html': 'text/html' };

// npy holds uint8 in C order behind a header: its shape, and where the bytes begin.
function npy(path) {
  const data = readFileSync(path), size = data.readUInt16LE(8);
  const shape = /'shape': \(([^)]*)\)/.exec(data.toString('latin1', 10, 10 + size))[1].split(',').filter(s => s.trim()).map(Number);
  return { shape, bytes: data.subarray(10 + size) };
}

const server = createServer((request, response) => {
  const path = decodeURIComponent(new URL(request.url, 'http://x').pathname), job = /^\/job\/(\d+)\/(model|pixels)$/.exec(path);
  let body = '';
  try {
    body = path === '/' ? '<!doctype html><link rel=icon href="data:,">' :
      job ? (job[2] === 'model' ? readFileSync(jobs[job[1]].file) : npy(jobs[job[1]].pixels).bytes) :
      readFileSync(join(modules, 'onnxruntime-web/dist', path.replaceAll('..', '')));
  } catch {
    response.writeHead(404);
    return response.end();
  }
  response.writeHead(200, { 'content-type': types[extname(path) || '.html'] ?? 'application/octet-stream' });
  response.end(body);
});
await new Promise(ready => server.listen(0, '127.0.0.1', ready));

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', timeout: 240_000, args: ['--no-sandbox',
  ...(provider === 'webgpu' ? ['--enable-unsafe-webgpu', '--enable-features=Vulkan', '--use-vulkan=swiftshader', '--use-webgpu-adapter=swiftshader', '--ignore-gpu-blocklist'] : ['--disable-gpu'])] });
const results = [];
for (const [i, job] of jobs.entries()) {
  const tab = await browser.newPage();
  tab.setDefaultTimeout(600_000);
  await tab.goto(`http://127.0.0.1:${server.address().port}/`);
  results.push(await tab.evaluate(inPage, { i, shape: npy(job.pixels).shape, outputs: job.outputs, provider }).catch(e => ({ died: String(e) })));
  await tab.close();
  writeFileSync(out, JSON.stringify(results));
}
await browser.close();
server.close();

// inPage runs in the browser.
async function inPage({ i, shape, outputs, provider }) {
  const ort = await import(provider === 'webgpu' ? '/ort.webgpu.min.mjs' : '/ort.wasm.min.mjs');
  ort.env.wasm.wasmPaths = '/';
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = 'error';
  if (provider === 'webgpu' && !(await navigator.gpu?.requestAdapter())) return { died: 'no WebGPU adapter' };
  const bytes = async what => new Uint8Array(await (await fetch(`/job/${i}/${what}`)).arrayBuffer());
  const model = await bytes('model'), pixels = new ort.Tensor('uint8', await bytes('pixels'), shape);
  const run = async options => {
    const session = await ort.InferenceSession.create(model, { executionProviders: [provider], ...options });
    const got = await session.run({ [session.inputNames[0]]: pixels }), read = {};
    for (const name of outputs) read[name] = { dims: got[name].dims, data: [...got[name].data] };
    await session.release();
    return { ran: true, outputs: read };
  };
  try {
    return await run(provider === 'webgpu' ? { extra: { session: { disable_cpu_ep_fallback: '1' } } } : {});
  } catch (e) {
    const refused = String(e.message ?? e);
    return provider === 'webgpu' ? await run({}).then(rest => ({ refused, rest: rest.outputs }), () => ({ refused })) : { refused };
  }
}
