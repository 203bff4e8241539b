// What an app asks of `stream-rec serve`. Types are in contract.ts, which follows from the service's OpenAPI document.
import { OPERATIONS } from "./contract.ts";
import type {
  Accepted,
  ErasureAccepted,
  Event,
  Found,
  Operations,
  Problem,
  Ranking,
  Recommendations,
  State,
  UserProfile,
} from "./contract.ts";

export type * from "./contract.ts";

type Name = keyof Operations;
type Query<N extends Name> = Operations[N]["query"];
type Body<N extends Name> = Operations[N]["body"];
type Camel<S extends string> = S extends `${infer A}_${infer B}` ? `${A}${Capitalize<Camel<B>>}` : S;

/** A method for each operation of the contract, by its name in camel case. */
type Api = { [N in Name as Camel<N>]: (...args: never[]) => Promise<Operations[N]["answer"]> };

/** Of one request. */
export interface RequestOptions {
  /** Ends the request, and all tries of it; its reason is thrown. */
  signal?: AbortSignal;
}

/** Of events in batches: as `serve.most_events` and `serve.body_bytes` are, 1,000 and 1 MiB where nobody set them. */
export interface BatchOptions extends RequestOptions {
  mostEvents?: number;
  bodyBytes?: number;
}

export interface ClientOptions {
  /** Of the service's `serve.keys_file`. */
  apiKey?: string;
  /** Of each try: longer than the service waits for the broker (`serve.ack_timeout_s`). 15 s by default. */
  timeoutMs?: number;
  /** How often something is asked again that had no answer, or 429, 502, 503 or 504. 3 by default. */
  retries?: number;
  /** Before the second try; twice as long each time, less up to half of it by lot. 100 by default. */
  firstPauseMs?: number;
  /** Where the service says `Retry-After` a longer time, that is left to the app. 5 s by default. */
  longestPauseMs?: number;
  /** Another `fetch`, as that of a proxy. */
  fetch?: typeof fetch;
}

/** The service says why it does not answer (RFC 9457): `detail` has what to do. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** Of 422: what kind of wrong it is, as on `rejected`. */
  readonly reason: string;
  /** When to ask again, if the service has said so. */
  readonly retryAfterMs: number | undefined;

  constructor(problem: Problem, retryAfterMs: number | undefined) {
    super(`${problem.status} ${problem.title}: ${problem.detail}`);
    this.name = "HttpProblem";
    this.status = problem.status;
    this.title = problem.title;
    this.detail = problem.detail;
    this.reason = problem.reason ?? "";
    this.retryAfterMs = retryAfterMs;
  }
}

/** The service was not reached in time, or what answered is not the service; `cause` says more. */
export class NoAnswer extends Error {
  constructor(message: string, cause: unknown) {
    super(message, { cause });
    this.name = "NoAnswer";
  }
}

interface Asked<N extends Name> {
  ids?: Operations[N]["ids"];
  query?: Operations[N]["query"];
  /** JSON. */
  body?: string;
}

interface Answer {
  status: number;
  retryAfterMs: number | undefined;
  text: string;
}

const PASSING = [429, 502, 503, 504];
/** Of these 503 is an answer, too, and no reason to ask again. */
const PROBES: Name[] = ["get_health", "get_readiness"];

/**
 * Asks `stream-rec serve`. Each method throws `HttpProblem` where the service says what is wrong, `NoAnswer` where it
 * does not answer after all tries, and `TypeError` for what cannot be asked. Everything may be asked again: events
 * count once by their `event_id`, the rest is reading, or a state that is put.
 */
export class StreamRecClient implements Api {
  readonly #url: string;
  readonly #options: Required<Omit<ClientOptions, "apiKey">>;
  readonly #headers: Record<string, string>;

  /** @param url `http://127.0.0.1:8080`, or what stands before `/v1` behind a proxy. */
  constructor(url: string, options: ClientOptions = {}) {
    if (!/^https?:\/\//.test(url)) throw new TypeError(`${url} is no address of the service: say http://127.0.0.1:8080`);
    this.#url = url.replace(/\/+$/, "");
    this.#headers = options.apiKey ? { Authorization: `Bearer ${options.apiKey}` } : {};
    this.#options = {
      timeoutMs: options.timeoutMs ?? 15_000,
      retries: options.retries ?? 3,
      firstPauseMs: options.firstPauseMs ?? 100,
      longestPauseMs: options.longestPauseMs ?? 5_000,
      fetch: options.fetch ?? ((input, init) => fetch(input, init)),
    };
  }

  /** A user's list, or the default one where they have none; with a filter or a cursor it is ranked on the spot. */
  getRecommendations(
    userId: string,
    query: Query<"get_recommendations"> = {},
    options?: RequestOptions,
  ): Promise<Recommendations> {
    return this.#ask("get_recommendations", { ids: { user_id: userId }, query }, options);
  }

  /** A user's list page by page, ranked on the spot, until nothing is left. */
  async *getPages(
    userId: string,
    query: Omit<Query<"get_recommendations">, "cursor" | "on_the_spot"> = {},
    options?: RequestOptions,
  ): AsyncGenerator<Recommendations, void, undefined> {
    let cursor: string | null | undefined;
    do {
      const page = await this.getRecommendations(userId, { n: 20, ...query, cursor, on_the_spot: true }, options);
      yield page;
      cursor = page.next_cursor;
    } while (cursor != null);
  }

  /** The default list. */
  getPopular(query: Query<"get_popular"> = {}, options?: RequestOptions): Promise<Recommendations> {
    return this.#ask("get_popular", { query }, options);
  }

  /** What users did and saw: all of it is taken, or nothing. As many as the service takes at once. */
  postEvents(events: Body<"post_events">, options?: RequestOptions): Promise<Accepted> {
    const encoded = (Array.isArray(events) ? events : [events]).map(encode);
    return this.#ask("post_events", { body: `[${encoded.join()}]` }, options);
  }

  /**
   * Send any number of events, in batches, and return how many were acknowledged. Where it throws, batches before the
   * one in question have been taken: send all again freely.
   */
  async sendEvents(
    events: Iterable<Event>,
    { mostEvents = 1_000, bodyBytes = 1 << 20, ...options }: BatchOptions = {},
  ): Promise<number> {
    let acknowledged = 0;
    let batch: string[] = [];
    let bytes = 1; // a bracket, and what follows each event
    const send = async () => {
      acknowledged += (await this.#ask("post_events", { body: `[${batch.join()}]` }, options)).n_records;
      [batch, bytes] = [[], 1];
    };
    for (const event of events) {
      const encoded = encode(event);
      const more = new TextEncoder().encode(encoded).length + 1;
      if (batch.length > 0 && (batch.length === mostEvents || bytes + more > bodyBytes)) await send();
      batch.push(encoded);
      bytes += more;
    }
    if (batch.length > 0) await send();
    return acknowledged;
  }

  /** Items of the app's, ranked for a user. */
  postRank(request: Body<"post_rank">, options?: RequestOptions): Promise<Ranking> {
    return this.#ask("post_rank", { body: JSON.stringify(request) }, options);
  }

  /** What is like an item. */
  getSimilar(itemId: string, query: Query<"get_similar"> = {}, options?: RequestOptions): Promise<Found> {
    return this.#ask("get_similar", { ids: { item_id: itemId }, query }, options);
  }

  /** What answers the query `q`. Nothing learns from it: send the search as an event for that. */
  getSearch(query: Query<"get_search">, options?: RequestOptions): Promise<Found> {
    return this.#ask("get_search", { query }, options);
  }

  /** Add an item to the catalog, or replace it. */
  putItem(item: Body<"put_item">, options?: RequestOptions): Promise<Accepted> {
    return this.#ask("put_item", { ids: { item_id: item.item_id }, body: JSON.stringify(item) }, options);
  }

  /** Take an item out of the catalog. */
  deleteItem(itemId: string, options?: RequestOptions): Promise<Accepted> {
    return this.#ask("delete_item", { ids: { item_id: itemId } }, options);
  }

  /** Put a rule in force, or replace it. */
  putRule(rule: Body<"put_rule">, options?: RequestOptions): Promise<Accepted> {
    return this.#ask("put_rule", { ids: { rule_id: rule.rule_id }, body: JSON.stringify(rule) }, options);
  }

  /** Take a rule out of force. */
  deleteRule(ruleId: string, options?: RequestOptions): Promise<Accepted> {
    return this.#ask("delete_rule", { ids: { rule_id: ruleId } }, options);
  }

  /** Say what a user has said of themselves, in place of all that was said before. */
  putProfile(userId: string, profile: Body<"put_profile">, options?: RequestOptions): Promise<Accepted> {
    return this.#ask("put_profile", { ids: { user_id: userId }, body: JSON.stringify(profile) }, options);
  }

  /** What a user has said of themselves, as the service knows it, a moment after it was put. */
  getProfile(userId: string, options?: RequestOptions): Promise<UserProfile> {
    return this.#ask("get_profile", { ids: { user_id: userId } }, options);
  }

  /** Take a user's profile back; what else is known of the user stays. */
  deleteProfile(userId: string, options?: RequestOptions): Promise<Accepted> {
    return this.#ask("delete_profile", { ids: { user_id: userId } }, options);
  }

  /** Have everything deleted that is known of a user. Asked again it is another erasure: the last one's id comes. */
  deleteUser(userId: string, options?: RequestOptions): Promise<ErasureAccepted> {
    return this.#ask("delete_user", { ids: { user_id: userId } }, options);
  }

  /** Whether the process lives. */
  getHealth(options?: RequestOptions): Promise<State> {
    return this.#ask("get_health", {}, options);
  }

  /** Whether all lists are there, and all that is ranked from; why not stands in the answer. */
  getReadiness(options?: RequestOptions): Promise<State> {
    return this.#ask("get_readiness", {}, options);
  }

  async #ask<N extends Name>(name: N, asked: Asked<N>, options: RequestOptions = {}): Promise<Operations[N]["answer"]> {
    const [method, path] = OPERATIONS[name];
    const address = this.#url + addressOf(path, asked.ids ?? {}, asked.query ?? {});
    const isProbe = PROBES.includes(name);
    for (let tried = 1; ; tried++) {
      let answer: Answer | undefined;
      let cause: unknown;
      try {
        answer = await this.#try(method, address, asked.body, options.signal);
      } catch (error) {
        if (options.signal?.aborted) throw options.signal.reason;
        cause = error;
      }
      const pauseMs = isProbe || tried > this.#options.retries ? undefined : this.#pauseMs(answer, tried);
      if (pauseMs === undefined) {
        if (answer === undefined) throw new NoAnswer(`no answer to ${method} ${path}: ${String(cause)}`, cause);
        return read(answer, `${method} ${path}`, isProbe) as Operations[N]["answer"];
      }
      await pause(pauseMs, options.signal);
    }
  }

  async #try(method: string, address: string, body: string | undefined, signal?: AbortSignal): Promise<Answer> {
    signal?.throwIfAborted();
    const trying = new AbortController(); // AbortSignal.any is not in Node 18
    const late = new Error(`nothing within ${this.#options.timeoutMs} ms`);
    const timer = setTimeout(() => trying.abort(late), this.#options.timeoutMs);
    const abort = () => trying.abort(signal?.reason);
    signal?.addEventListener("abort", abort);
    try {
      const headers = body === undefined ? this.#headers : { ...this.#headers, "Content-Type": "application/json" };
      const init = { method, headers, signal: trying.signal, ...(body === undefined ? {} : { body }) };
      const response = await this.#options.fetch(address, init);
      return { status: response.status, retryAfterMs: retryAfterOf(response), text: await response.text() };
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
    }
  }

  /** After how long to ask again, or undefined: not at all. Without an answer whether it arrived nobody knows. */
  #pauseMs(answer: Answer | undefined, tried: number): number | undefined {
    if (answer !== undefined && !PASSING.includes(answer.status)) return undefined;
    const { firstPauseMs, longestPauseMs } = this.#options;
    const pauseMs = Math.min(longestPauseMs, firstPauseMs * 2 ** (tried - 1)) * (0.5 + Math.random() / 2);
    const wantedMs = answer?.retryAfterMs ?? 0;
    return wantedMs > longestPauseMs ? undefined : Math.max(pauseMs, wantedMs);
  }
}

function read(answer: Answer, what: string, isProbe: boolean): unknown {
  const isGood = answer.status >= 200 && answer.status < 300;
  let said: unknown;
  try {
    said = JSON.parse(answer.text);
  } catch (error) {
    if (isGood) throw new NoAnswer(`what answered ${what} is not the service: ${answer.text.slice(0, 100)}`, error);
  }
  if (isGood || (isProbe && answer.status === 503 && said !== undefined)) return said;
  const { status, text } = answer;
  const isProblem = typeof said === "object" && said !== null && "detail" in said && "title" in said;
  const problem = isProblem ? (said as Problem) : { status, title: "", detail: text.slice(0, 200) };
  throw new HttpProblem({ ...problem, status }, answer.retryAfterMs);
}

function addressOf(path: string, ids: Record<string, string>, query: object): string {
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => {
    const id = ids[name] ?? "";
    if (["", ".", ".."].includes(id)) {
      throw new TypeError(`${name}=${JSON.stringify(id)} cannot stand in an address: it is empty, a dot or two`);
    }
    return encodeURIComponent(id);
  });
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== null) pairs.append(name, String(one));
    }
  }
  const said = pairs.toString();
  return said === "" ? filled : `${filled}?${said}`;
}

function encode(event: Event): string {
  if (event.value != null && !Number.isFinite(event.value)) {
    throw new TypeError(`value=${event.value} of event ${event.event_id} is not a number that JSON has: leave it out`);
  }
  return JSON.stringify(event);
}

function retryAfterOf(response: Response): number | undefined {
  const said = response.headers.get("retry-after") ?? "";
  return /^\d+$/.test(said) ? 1000 * Number(said) : undefined;
}

function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener("abort", abort, { once: true });
  });
}
