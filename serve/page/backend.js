// The page's model is the server that it came from.
let token = sessionStorage.getItem('token') ?? '';

// Refused is an error with the reason that the model's side gave; token tells that one is wanted.
export class Refused extends Error {
  constructor(reason, status, after) { super(reason); this.token = status === 401; this.again = status === 429 ? after : 0; }
}

async function ask(path, options = {}) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  let answer;
  try {
    answer = await fetch(path, { ...options, headers });
  } catch {
    throw new Refused('The server does not answer. Is it still running?');
  }
  const body = await answer.json().catch(() => ({ error: `status ${answer.status}` }));
  if (!answer.ok) throw new Refused(body.error, answer.status, Number(answer.headers.get('Retry-After')));
  return body;
}

export function giveToken(word) {
  token = word;
  sessionStorage.setItem('token', word);
}

// about tells the model: model, labels, notes, evidence, faces, privacy.
export async function about() {
  const a = await ask('v1/model');
  a.privacy = a.keeps ? 'This server stores the photographs that it classifies.' : 'Photographs go to this server, which stores none.';
  return a;
}

// predict classifies a photograph's file. The answer is that of /v1/predict.
export function predict(file, { faces, evidence }) {
  const wanted = new URLSearchParams();
  if (faces) wanted.set('faces', '1');
  if (evidence) wanted.set('evidence', '1');
  return ask(`v1/predict?${wanted}`, { method: 'POST', body: file });
}
