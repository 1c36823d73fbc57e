// Keeps the page's files, so that it works offline. A page that is written anew has another hash, and its own files.
const kept = 'graft-HASH';
const files = FILES;

self.addEventListener('install', (e) => {
  self.skipWaiting();
  e.waitUntil(caches.open(kept).then((c) => c.addAll(files)));
});
self.addEventListener('activate', (e) => {
  e.waitUntil(caches.keys().then((names) => Promise.all(names.filter((n) => n.startsWith('graft-') && n !== kept).map((n) => caches.delete(n)))).then(() => self.clients.claim()));
});
self.addEventListener('fetch', (e) => {
  if (e.request.method !== 'GET') return;
  e.respondWith(caches.match(e.request, { ignoreSearch: true, cacheName: kept }).then((r) => r ?? fetch(e.request)));
});
