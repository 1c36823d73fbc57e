// What is folded opens when it is gone to, and on paper.
const unfold = () => {
  const target = document.getElementById(location.hash.slice(1));
  for (let at = target?.querySelector(':scope > .fold') ?? target; at; at = at.parentElement) {
    if (at.tagName === 'DETAILS') at.open = true;
  }
  target?.scrollIntoView();
};
addEventListener('hashchange', unfold);
unfold();
addEventListener('beforeprint', () => document.querySelectorAll('.fold').forEach(d => { d.open = true; }));

// The map's points show their image and what is known of it. The numbers are those of
// the file that is offered below the map.
for (const map of document.querySelectorAll('.map')) {
  const card = map.querySelector('.card'), plane = map.querySelector('.plane'), points = [...map.querySelectorAll('circle')];
  const text = new TextDecoder().decode(Uint8Array.from(atob(map.querySelector('.points').href.split(',')[1]), c => c.charCodeAt(0)));
  const rows = parse(text).slice(1);
  const show = (circle) => {
    const [index, id, split, label, predicted] = rows[points.indexOf(circle)];
    card.querySelector('p').textContent = `${id}, ${split}: ${label}` + (predicted ? `, predicted ${predicted}` : '');
    const at = circle.dataset.at, image = card.querySelector('.spot');
    if (at && image) {
      const [x, y] = at.split(' ');
      image.style.setProperty('--x', x);
      image.style.setProperty('--y', y);
    }
    card.hidden = false;
    const box = plane.getBoundingClientRect(), spot = circle.getBoundingClientRect();
    const left = spot.left - box.left + 12, top = spot.top - box.top + 12;
    card.style.left = Math.max(0, Math.min(left, box.width - card.offsetWidth - 4)) + 'px';
    card.style.top = (top + card.offsetHeight > box.height ? Math.max(0, top - card.offsetHeight - 24) : top) + 'px';
  };
  plane.addEventListener('pointerover', e => { if (e.target.tagName === 'circle') show(e.target); });
  plane.addEventListener('pointerdown', e => { if (e.target.tagName === 'circle') show(e.target); });
  plane.addEventListener('pointerleave', () => { card.hidden = true; });
}

// parse cuts comma-separated values, quotes and all.
function parse(text) {
  const rows = [[]];
  for (const m of text.matchAll(/("(?:[^"]|"")*"|[^,\n]*)(,|\n|$)/g)) {
    if (m[0] === '') continue;
    rows[rows.length - 1].push(m[1].startsWith('"') ? m[1].slice(1, -1).replaceAll('""', '"') : m[1]);
    if (m[2] === '\n') rows.push([]);
  }
  return rows;
}
