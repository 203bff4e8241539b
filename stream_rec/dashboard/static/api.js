// Questions to the service. The key, where one is needed, stays in this tab.

const KEY = "stream-rec-key";
export const readKey = () => sessionStorage.getItem(KEY) ?? "";
export const keepKey = (key) => (key ? sessionStorage.setItem(KEY, key) : sessionStorage.removeItem(KEY));

export class Problem extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export function headers(more = {}) {
  const key = readKey();
  return key ? { Authorization: `Bearer ${key}`, ...more } : more;
}

export const path = (...parts) => `/dashboard/api/${parts.map(encodeURIComponent).join("/")}`;

export async function ask(method, address, { body, signal, isTrial } = {}) {
  let answer;
  try {
    answer = await fetch(address, {
      method,
      signal,
      headers: headers(body === undefined ? {} : { "Content-Type": "application/json" }),
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, "The dashboard's service does not answer: is it still running?");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) {
    const problem = new Problem(answer.status, said.detail ?? answer.statusText);
    if (answer.status === 401 && !isTrial) window.dispatchEvent(new Event("needskey"));
    throw problem;
  }
  return said;
}

// What begins is asked again until it has begun.
export async function askUntilReady(address, signal, wait) {
  for (;;) {
    try {
      return await ask("GET", address, { signal });
    } catch (error) {
      if (error.status !== 503 && error.status !== 0) throw error;
      wait(error.message);
      await new Promise((done) => setTimeout(done, 1500));
      signal?.throwIfAborted();
    }
  }
}
