// Numbers and times as people read them.

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat("en", { maximumFractionDigits: 1, minimumFractionDigits: 1 });
const day = new Intl.DateTimeFormat("sv", { dateStyle: "short", timeStyle: "medium" });
const clock = new Intl.DateTimeFormat("sv", { timeStyle: "medium" });

export const NONE = "–";
export const count = (n) => (n === null || n === undefined ? NONE : whole.format(n));
export const rate = (n) => (n === null || n === undefined ? NONE : n > 0 && n < 100 ? fine.format(n) : whole.format(n));
export const tick = (n) => String(Number(n.toFixed(2)));
export const share = (n) => (n === null || n === undefined ? NONE : `${fine.format(100 * n)} %`);
export const decimal = (n, digits = 3) => (n === null || n === undefined ? NONE : n.toFixed(digits));
export const when = (ms) => (ms ? day.format(new Date(ms)) : NONE);
export const clockTime = (ms) => clock.format(new Date(ms));
export const plural = (n, one, many = `${one}s`) => `${count(n)} ${n === 1 ? one : many}`;

export function millis(ms) {
  if (ms === null || ms === undefined) return NONE;
  if (ms === 0) return "0 ms";
  if (ms >= 10_000) return `${whole.format(ms / 1000)} s`;
  return ms >= 1000 ? `${fine.format(ms / 1000)} s` : `${ms < 10 ? fine.format(ms) : whole.format(ms)} ms`;
}

export function span(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}

export const half = (hours) => (hours < 24 ? plural(hours, "hour") : plural(hours / 24, "day"));
