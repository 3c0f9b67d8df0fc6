// Sending a large file in pieces by the protocol tus 1.0.0: after a lost connection, or a closed page, it goes on where
// it stopped.

import { Problem, ROOT, send } from "../api.js";
import { sleep } from "../task.js";

const PIECE = 8e6;
const TRIES = 8;
const VERSION = { "Tus-Resumable": "1.0.0" };
const MEMORY = "lookalike-uploads";

/**
 * The bytes of a file that have arrived earlier, by an upload that can be gone on with; 0 if there is none. Raises Problem
 * where the service cannot say.
 */
export async function arrivedBytes(file, options) {
  return (await begun(file, options))?.offset ?? 0;
}

/**
 * Send a file; answers the id of the upload, which is remembered until `forget`. `onProgress(sent)` after each piece,
 * `onWait(problem, seconds)` before the page tries again. Raises Problem, or AbortError.
 */
export async function sendFile(file, { signal, onProgress, onWait }) {
  const upload = (await begun(file, { signal })) ?? (await begin(file, signal));
  const { id } = upload;
  let { offset } = upload;
  for (let tries = 0; offset < file.size;) {
    onProgress(offset);
    try {
      offset = await sendPiece(id, file, offset, signal);
      tries = 0;
    } catch (error) {
      if (!mayPass(error) || ++tries > TRIES) throw error;
      const seconds = error.retryAfter ?? Math.min(30, 2 ** tries);
      onWait(error, seconds);
      await sleep(1000 * seconds, signal);
      // What arrived of a piece stays, so only the service knows where the next one begins.
      offset = await offsetOf(id, { signal }).catch((other) => (mayPass(other) ? offset : Promise.reject(other)));
    }
  }
  onProgress(offset);
  return id;
}

async function sendPiece(id, file, offset, signal) {
  const headers = { ...VERSION, "Upload-Offset": String(offset), "Content-Type": "application/offset+octet-stream" };
  const body = file.slice(offset, offset + PIECE);
  const answer = await send(at(id), { method: "PATCH", body, headers, signal });
  return Number(answer.headers.get("Upload-Offset"));
}

async function offsetOf(id, options) {
  const answer = await send(at(id), { method: "HEAD", headers: VERSION, ...options });
  return Number(answer.headers.get("Upload-Offset"));
}

// Only a service that has no such upload any more says that there is nothing to go on with.
async function begun(file, options) {
  const id = remembered()[nameOf(file)];
  if (!id) return null;
  try {
    return { id, offset: await offsetOf(id, options) };
  } catch (error) {
    if (error.status !== 404) throw error;
    forget(file);
    return null;
  }
}

async function begin(file, signal) {
  const metadata = `filename ${base64(file.name)}`;
  const headers = { ...VERSION, "Upload-Length": String(file.size), "Upload-Metadata": metadata };
  const answer = await send(`${ROOT}/uploads`, { method: "POST", headers, signal });
  const { id } = await answer.json();
  remember(file, id);
  return { id, offset: 0 };
}

const at = (id) => `${ROOT}/uploads/${encodeURIComponent(id)}`;
// A connection that was lost or is slow, a piece that another one has overtaken, a service that is busy or restarts.
const mayPass = (error) =>
  error instanceof Problem && ([0, 408, 409, 423, 429].includes(error.status) || error.status >= 500);

function base64(text) {
  const bytes = new TextEncoder().encode(text);
  return btoa(String.fromCharCode(...bytes));
}

// The same file as a person knows it: its content is not read for that.
const nameOf = ({ name, size, lastModified }) => JSON.stringify([name, size, lastModified]);

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(MEMORY) ?? "{}");
  } catch {
    return {};
  }
}

const remember = (file, id) => store({ ...remembered(), [nameOf(file)]: id });

/** Forget the upload of a file, once the service has begun to work on it. */
export function forget(file) {
  const { [nameOf(file)]: _, ...others } = remembered();
  store(others);
}

// A browser that keeps nothing sends the file anew after the page was closed.
function store(uploads) {
  try {
    localStorage.setItem(MEMORY, JSON.stringify(uploads));
  } catch {
    return;
  }
}
