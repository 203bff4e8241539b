// One stream of figures for all views. It ends when nobody looks, and begins again by itself.

import { headers } from "./api.js";

const KEPT = 600;
export const live = { isOpen: false, why: "connecting", now: null, points: [], troubles: [] };
const listeners = new Set();
let abort = null;
let pause = 1000;

export function follow(listener, signal) {
  listeners.add(listener);
  signal.addEventListener("abort", () => listeners.delete(listener));
  listener();
}

const tell = () => listeners.forEach((listener) => listener());

function take(moment, isFirst) {
  live.points = (isFirst ? moment.points : [...live.points, ...moment.points]).slice(-KEPT);
  live.now = moment.now;
  live.troubles = moment.troubles;
  live.isOpen = true;
  tell();
}

async function listen(signal) {
  const answer = await fetch("/dashboard/api/live", { headers: headers(), signal });
  if (!answer.ok) {
    const said = await answer.json().catch(() => ({}));
    const error = new Error(said.detail ?? answer.statusText);
    error.isTaken = answer.status === 503;
    if (answer.status === 401) window.dispatchEvent(new Event("needskey"));
    throw error;
  }
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let isFirst = true;
  for (;;) {
    const { value, done } = await reader.read();
    if (done) throw new Error("the service has ended the stream");
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) {
      if (!event.startsWith("data: ")) continue;
      take(JSON.parse(event.slice(6)), isFirst);
      isFirst = false;
      pause = 1000;
    }
  }
}

async function run() {
  const mine = new AbortController();
  abort = mine;
  while (!mine.signal.aborted) {
    try {
      await listen(mine.signal);
    } catch (error) {
      if (mine.signal.aborted) return;
      live.isOpen = false;
      live.why = error.isTaken ? error.message : "the dashboard's service does not answer";
      tell();
    }
    await new Promise((done) => setTimeout(done, pause));
    pause = Math.min(2 * pause, 8000);
  }
}

export function start() {
  abort?.abort();
  pause = 1000;
  if (!document.hidden) run();
}

document.addEventListener("visibilitychange", () => {
  if (document.hidden) abort?.abort();
  else start();
});
