// Asks a service, and prints as JSON how long that took: for serve.py, which gives it what to ask on stdin.
// Needs autocannon (npm install autocannon@8) in the folder that the first argument names.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const autocannon = createRequire(`${process.argv[2]}/`)("autocannon");
const options = JSON.parse(readFileSync(0, "utf-8"));
const found = await autocannon(options);
const { p50, p99, max } = found.latency;
const bad = found.non2xx + found.errors + found.timeouts;
console.log(JSON.stringify({ n: found.requests.total, per_s: found.requests.average, p50, p99, max, bad }));
