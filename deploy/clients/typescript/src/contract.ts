// Written by `python deploy/clients/generate.py` from topics/openapi.json: do not edit.

/** What the broker has acknowledged: nothing of it can be lost any more. */
export interface Accepted {
  n_records: number;
  /** Of each record, in the order in which they came. `seen` of a user's list says which it knows. */
  positions?: Array<Position>;
}

/**
 * A part of all users, drawn once for an experiment: the same ones in every process and after every restart.
 */
export interface Arm {
  /** Its name. What one experiment draws says nothing of what another draws. */
  experiment: string;
  /** From here to below there, of 0 to 100: [0, 50] is one half, [50, 100] the other. */
  percent: [number, number];
}

/** An erasure that will be carried out within seconds. */
export interface ErasureAccepted {
  /** A record on `receipts` with this key says when it is done. */
  request_id: string;
}

/** What a user did, or saw. */
export interface Event {
  event_type: "view" | "click" | "purchase" | "search" | "impression";
  /**
   * Unique among the user's events. The same id again is the same event: send it again freely when in doubt.
   * 1 to 256 bytes of UTF-8
   */
  event_id: string;
  /** 1 to 256 bytes of UTF-8 */
  user_id: string;
  /**
   * Which item; a search needs none, unless it is about one: "like this, but cheaper". 1 to 256 bytes of
   * UTF-8
   */
  item_id?: string | null;
  /** Of a search: what was asked for. Other events have none. as the user typed or chose it */
  query?: string | null;
  /** When; now, where nothing is said. event time, milliseconds since 1970-01-01 UTC */
  timestamp_ms?: number | null;
  /** What it was worth: price paid, rating given, seconds watched. */
  value?: number | null;
  /** anything the app knows: session, device, order, ... */
  context?: Record<string, unknown>;
  /**
   * Of an impression, which needs it and `items`. the `list_id` of the recommendations record shown; empty if
   * it was no such
   */
  list_id?: string | null;
  /** Of an impression: what was on the screen. */
  items?: Array<Shown>;
  /** Of an impression. where in the app: `home`, `cart` */
  surface?: string;
}

/** Which items are wanted; all by default. What is said several times holds together. */
export interface Filters {
  /** Any of these. */
  category?: string | Array<string>;
  /** None of these. */
  not_category?: string | Array<string>;
  /** All of these. */
  tag?: string | Array<string>;
  /** Any of these. */
  any_tag?: string | Array<string>;
  /** None of these. */
  not_tag?: string | Array<string>;
  /** `name:value`, compared as text, as in rules: each name, and of one name any of its values. */
  attribute?: string | Array<string>;
  /** `name:value`, none of these. */
  not_attribute?: string | Array<string>;
  /** `name:number`, bound on an attribute, itself within; an item without such a number is not wanted. */
  attribute_min?: string | Array<string>;
  /** The same from above. */
  attribute_max?: string | Array<string>;
  /** Bound on the attribute `price`, itself within. */
  price_min?: number | null;
  price_max?: number | null;
}

/** Items that were searched for, best first. */
export interface Found {
  items: Array<SlateItem>;
}

/** One record on `items` (compacted); the record's key is `item_id` and a null value deletes the item. */
export interface Item {
  /** 1 to 256 bytes of UTF-8 */
  item_id: string;
  title?: string;
  description?: string;
  category?: string;
  tags?: Array<string>;
  /** Facts by name: brand, price, colour, ... */
  attributes?: Record<string, unknown>;
  /** Ids of other items by kind of relation: {"series": [...], "accessory_of": [...]}. */
  relations?: Record<string, Array<string>>;
  /** Embeddings that the app brings itself, by modality ("image", "audio", ...): see `catalog.vectors`. */
  vectors?: Record<string, Array<number>>;
  /** What its owner makes of it: it is ranked as if so many times as likely to be chosen. */
  boost?: number;
  /** False keeps the item known, but out of every list. */
  available?: boolean;
}

/** Where a record stands. */
export interface Position {
  /** Without prefix. */
  topic: string;
  partition: number;
  offset: number;
}

/** Why a request is not answered. */
export interface Problem {
  status: number;
  /** The status in words. */
  title: string;
  /** What was expected, what came, and what to do. */
  detail: string;
  type?: string;
  /** Of 422: what kind of wrong it is, as on `rejected`. */
  reason?: string;
}

/** Some of the items, and the slots that the best of them take. */
export interface Promotion {
  /** says which promotion an item is shown by */
  label: string;
  /** Among the items to be ranked; what is promoted twice takes the slot of the first. */
  item_ids: Array<string>;
  /** Counted from 1; behind the list's end there are none. Fewer items than slots take the first of them. */
  slots: Array<number>;
}

/** Items that the app has chosen, to be ranked for a user. */
export interface RankRequest {
  /** 1 to 256 bytes of UTF-8 */
  user_id: string;
  /** One that stands there twice is ranked once. */
  item_ids: Array<string>;
  /** Most items of the answer. */
  n?: number;
  /**
   * The user's, for rules that ask for it; that of the profile without it. Where neither says it, what they
   * keep from the underage is left out.
   */
  age?: number | null;
  /** Which of them are wanted. */
  filters?: Filters | null;
  /** Those of which the user has an event of any of these types. */
  had?: Array<"view" | "click" | "purchase">;
  /** Those of which the user has none of these. */
  not_had?: Array<"view" | "click" | "purchase">;
  /** Of `had` and `not_had`: how long ago at most; without it, ever. */
  within_days?: number | null;
  /** Those that the user was not shown for so long, as impressions say. */
  not_shown_hours?: number | null;
  /** Of each item, at least. */
  min_score?: number;
  /** From 0, the likeliest items first, to 1, the most varied. */
  diversity?: number;
  /** What stands in which slots whatever the ranking says, the owner's rules aside. Reasons say by which. */
  promotions?: Array<Promotion>;
  /**
   * Where the list will stand: `country`, `device` and what else `user.context_keys` declares; that of the
   * user's newest event, where nothing is said. anything the app knows: session, device, order, ...
   */
  context?: Record<string, unknown> | null;
}

/** Given items, best first. */
export interface Ranking {
  user_id: string;
  /** Whether anything is known of the user. */
  is_known: boolean;
  policy: string;
  /** The best of them. */
  items: Array<SlateItem>;
  /** Those of which there is no record on `items`. */
  unknown: Array<string>;
  /**
   * Those that are not to be shown: not available, not wanted, or the owner's rules keep them from this user.
   */
  left_out: Array<string>;
  /** As of a list on `recommendations`: last offset of the user's events that was applied, by topic. */
  seen: Record<string, number>;
}

/**
 * Why an item is in the slate: what found it, and the user's own event behind that. The evidence is another
 * item, but for `repeat`, which says that the user had this very item before, and for `asked`, which is about
 * the user's search.
 */
export interface Reason {
  /**
   * similar | successors | neighbours | related | category | trending | fresh | repeat | asked | interest |
   * explore | catalog; a reader takes kinds that it does not know for `catalog`, which says nothing
   */
  kind: string;
  /**
   * The evidence: the item of the user's history that led here; null for `trending`, `fresh`, `explore` and
   * `catalog`. Of `asked` the item that the search was about, if any.
   */
  item_id?: string | null;
  /** The evidence: the user's event with that item, while it is remembered, or the search. */
  event_id?: string | null;
  /** view | click | purchase | search */
  event_kind?: string | null;
  /** of `repeat`: how many events of `event_kind`, or of any kind if that is null */
  times?: number | null;
  /** of `repeat`: time of the newest event with the item */
  last_ms?: number | null;
  /** of `interest`: which of those in the user's profile */
  interest?: string | null;
  /**
   * of `related`: what both items have in common: `family` of their titles, `category`, `tag`, an attribute's
   * name, or the kind of relation by which one of them names the other, or both a third
   */
  relation?: string | null;
  /** of `related`: the family, category, tag or value, or the id of the item named */
  value?: string | null;
  /** of `similar`: which vectors of items are alike, as `image`; null: their texts */
  modality?: string | null;
  /**
   * `rule_id` of the owner's rule by which the item is in the list or stands where it does; null for most.
   */
  rule?: string | null;
  /**
   * Label of the promotion in a request to rank by which the item stands where it does; on topics always
   * null.
   */
  promotion?: string | null;
}

/** A user's list, best item first. */
export interface Recommendations {
  user_id: string;
  /** Of the list as it is on the topic `recommendations`; what was left out here does not change it. */
  list_id: string;
  /** Whether it is the list for users without one of their own. */
  is_default: boolean;
  generated_at_ms: number;
  policy: string;
  items: Array<SlateItem>;
  /** Whether it was ranked for this request, from what is known now. */
  is_on_the_spot?: boolean;
  /**
   * Of a list that was ranked on the spot: what the next page is asked for with; null where there is none.
   */
  next_cursor?: string | null;
  /** Last offset of the user's events that is in the list, by topic; none in the default list. */
  seen?: Record<string, number>;
}

/** One record on `rules` (compacted); the record's key is `rule_id` and a null value ends the rule. */
export interface Rule {
  /** 1 to 256 bytes of UTF-8 */
  rule_id: string;
  /**
   * ban: in no list. exclude: not for users who have a `relation` to the item. cap: at most `count` in a
   * list. pin: in `slot`. floor: at least `count` in a list. expose: at least `share` of all slots over time.
   * boost: as if `factor` times likelier
   */
  action: "ban" | "exclude" | "cap" | "pin" | "floor" | "expose" | "boost";
  /** Who is to be asked about it. */
  author: string;
  /** Why it is there. */
  reason: string;
  target?: Target;
  /** Of `pin`, counted from 1. The first of `item_ids` that may be shown to the user is put there. */
  slot?: number | null;
  /** Of `cap` and `floor`. */
  count?: number | null;
  /** Of `boost`; below 1 it is a burden. */
  factor?: number | null;
  /** Of `expose`. Each worker sees to it for the lists that it makes, over some hundreds of them. */
  share?: number | null;
  /**
   * Of `exclude`: `bought`, or `seen`, which is any event, as far as the user's weekly counts reach; `shown`,
   * as the app's impressions say; `underage`: of all items of the target, who is not known to be `min_age` or
   * older.
   */
  relation?: "seen" | "bought" | "shown" | "underage" | null;
  /** Of `exclude` with `underage`: years. */
  min_age?: number | null;
  /** Of `exclude`: how long ago at most; without it, ever. */
  within_days?: number | null;
  /**
   * Of `exclude`: whether one item of the target stands for all of it. Who has a washing machine needs no
   * other.
   */
  whole_target?: boolean;
  /**
   * Of `exclude`: items that it leaves alone, as what is bought again and again. Not with `whole_target`.
   */
  spares?: Target | null;
  /** Without one it holds in all lists. An `expose` has none: its share is of all slots. */
  scope?: Scope | null;
  /** milliseconds since 1970-01-01 UTC, by the events' clock */
  starts_ms?: number;
  /**
   * First moment at which the rule is over. A `boost` must have one. milliseconds since 1970-01-01 UTC, by
   * the events' clock
   */
  ends_ms?: number | null;
}

/** Where a rule holds: where all is so that is said here. */
export interface Scope {
  /** Any of these lists; `home` is the main one. */
  surfaces?: Array<string>;
  segment?: Segment | null;
  arm?: Arm | null;
}

/** Users by what is known of them: those of whom all holds that is said here. */
export interface Segment {
  events_min?: number | null;
  /** All interactions ever; at most 0 are those of whom nothing is known. */
  events_max?: number | null;
  idle_days_min?: number | null;
  /** Since their newest event. Who has none is in no segment that says something of it. */
  idle_days_max?: number | null;
  /** They bought something of it, as far as their weekly counts reach. */
  bought_category?: string;
}

/** One item in one slot, of an impression. */
export interface Shown {
  /** 1 to 256 bytes of UTF-8 */
  item_id: string;
  /** slot, counted from 1 */
  position: number;
  /** as the list has it, for who judges policies by what was shown */
  propensity?: number | null;
}

/** One ranked item, best first. */
export interface SlateItem {
  item_id: string;
  /** Higher is better; comparable within one slate only. */
  score: number;
  /**
   * Probability with which the policy put this item into this slate: 1.0 where nothing was left to chance.
   */
  propensity: number;
  /**
   * What speaks for the item over the average candidate, by kind of reason: parts of the linear expert's
   * score.
   */
  sources: Record<string, number>;
  reason: Reason;
  /**
   * How the user would rate the item, on the scale of `ratings.scale`; there with `ratings.in_lists` alone.
   */
  predicted_value?: number | null;
}

/** How the service is. */
export interface State {
  status: "ok" | "not ready";
  why?: string;
}

/** Which items a rule is about: those that have all that is said here. */
export interface Target {
  /** Any of these. */
  item_ids?: Array<string>;
  category?: string;
  tag?: string;
  /** Each of these, compared as text: {"brand": "Acme"}. A list or an object is like no text. */
  attributes?: Record<string, string>;
}

/** What a user has said of themselves, or an app knows of them. What it does not say is not known. */
export interface UserProfile {
  /** What the user says to like. Lists of a new user follow them until the user has done something. */
  interests?: Array<string>;
  /** That the user reads. a tag as of BCP 47, `de` or `pt-BR`; empty where it is not known */
  language?: string;
  /**
   * For rules with a `min_age`, where a request has no `age`; and the decade, for what others of it come to.
   */
  birth_year?: number | null;
  /** When it was said; now, where nothing is said. event time, milliseconds since 1970-01-01 UTC */
  timestamp_ms?: number | null;
}

/** What each operation takes and answers. */
export interface Operations {
  /**
   * `GET /v1/users/{user_id}/recommendations`: A user's list. Return the user's own list, or the default list
   * where they have none of their own, less what is gone. With a filter, a cursor, a context, an age, a least
   * score, a diversity or another surface than `home` it is ranked on the spot, of what is wanted.
   */
  get_recommendations: {
    ids: {
      /** 1 to 256 bytes of UTF-8, percent-encoded, a slash as %2F */
      user_id: string;
    };
    query: {
      /** any of these */
      category?: Array<string> | null;
      /** none of these */
      not_category?: Array<string> | null;
      /** all of these */
      tag?: Array<string> | null;
      /** any of these */
      any_tag?: Array<string> | null;
      /** none of these */
      not_tag?: Array<string> | null;
      /** name:value, compared as text, as in rules: each name, and of one name any of its values */
      attribute?: Array<string> | null;
      /** name:value, none of these */
      not_attribute?: Array<string> | null;
      /** name:number, bound on an attribute, itself within; an item without such a number is not wanted */
      attribute_min?: Array<string> | null;
      /** the same from above */
      attribute_max?: Array<string> | null;
      /** bound on the attribute `price`, itself within */
      price_min?: number | null;
      /** bound on the attribute `price`, itself within */
      price_max?: number | null;
      /** items of which the user has an event of any of these types; may be repeated */
      had?: Array<"view" | "click" | "purchase"> | null;
      /** items of which the user has none of these */
      not_had?: Array<"view" | "click" | "purchase"> | null;
      /** of `had` and `not_had`: how long ago at most; without it, ever */
      within_days?: number | null;
      /** items that the user was not shown for so long, as impressions say */
      not_shown_hours?: number | null;
      /** most items; as long as a list on its topic */
      n?: number | null;
      /** ids of items to leave out; may be repeated */
      exclude?: Array<string> | null;
      /** `next_cursor` of the page before */
      cursor?: string | null;
      /** key:value, where the list will stand; may be repeated */
      context?: Array<string> | null;
      /** rank it now, even where the list on its topic would do */
      on_the_spot?: boolean;
      /** which list; docs/guides/surfaces.md */
      surface?: string;
      /** items that the list is about; may be repeated */
      item_id?: Array<string> | null;
      /** the user's, in years; without it what the profile says, see rules */
      age?: number | null;
      /** of each item, at least */
      min_score?: number;
      /** from 0, the likeliest items, to 1, the most varied; as ever without it */
      diversity?: number | null;
    };
    body: undefined;
    answer: Recommendations;
  };
  /** `GET /v1/popular`: The list for everybody else. Return the default list. */
  get_popular: {
    ids: Record<string, never>;
    query: {
      /** most items */
      n?: number;
      /** ids of items to leave out; may be repeated */
      exclude?: Array<string> | null;
    };
    body: undefined;
    answer: Recommendations;
  };
  /**
   * `POST /v1/events`: What users did. Take one event or several: all of them, once the broker has
   * acknowledged them, or none.
   */
  post_events: {
    ids: Record<string, never>;
    query: Record<string, never>;
    body: Event | Array<Event>;
    answer: Accepted;
  };
  /** `DELETE /v1/users/{user_id}`: Forget a user. Have everything deleted that is known of a user. */
  delete_user: {
    ids: {
      /** 1 to 256 bytes of UTF-8, percent-encoded, a slash as %2F */
      user_id: string;
    };
    query: Record<string, never>;
    body: undefined;
    answer: ErasureAccepted;
  };
  /** `PUT /v1/items/{item_id}`: Put an item. Add an item to the catalog, or replace it. */
  put_item: {
    ids: {
      /** 1 to 256 bytes of UTF-8, percent-encoded, a slash as %2F */
      item_id: string;
    };
    query: Record<string, never>;
    body: Item;
    answer: Accepted;
  };
  /** `DELETE /v1/items/{item_id}`: Delete an item. Take an item out of the catalog. */
  delete_item: {
    ids: {
      /** 1 to 256 bytes of UTF-8, percent-encoded, a slash as %2F */
      item_id: string;
    };
    query: Record<string, never>;
    body: undefined;
    answer: Accepted;
  };
  /** `PUT /v1/rules/{rule_id}`: Put a rule in force. Put a rule of the owner's in force, or replace it. */
  put_rule: {
    ids: {
      /** 1 to 256 bytes of UTF-8, percent-encoded, a slash as %2F */
      rule_id: string;
    };
    query: Record<string, never>;
    body: Rule;
    answer: Accepted;
  };
  /** `DELETE /v1/rules/{rule_id}`: End a rule. Take a rule out of force. */
  delete_rule: {
    ids: {
      /** 1 to 256 bytes of UTF-8, percent-encoded, a slash as %2F */
      rule_id: string;
    };
    query: Record<string, never>;
    body: undefined;
    answer: Accepted;
  };
  /**
   * `GET /v1/users/{user_id}/profile`: A user's profile. Return what a user has said of themselves, as lists
   * that are ranked on the spot know it.
   */
  get_profile: {
    ids: {
      /** 1 to 256 bytes of UTF-8, percent-encoded, a slash as %2F */
      user_id: string;
    };
    query: Record<string, never>;
    body: undefined;
    answer: UserProfile;
  };
  /**
   * `PUT /v1/users/{user_id}/profile`: Put a user's profile. Take what a user has said of themselves, in
   * place of all that was said before.
   */
  put_profile: {
    ids: {
      /** 1 to 256 bytes of UTF-8, percent-encoded, a slash as %2F */
      user_id: string;
    };
    query: Record<string, never>;
    body: UserProfile;
    answer: Accepted;
  };
  /**
   * `DELETE /v1/users/{user_id}/profile`: Take a user's profile back. Have it known no more; what the user
   * did stays.
   */
  delete_profile: {
    ids: {
      /** 1 to 256 bytes of UTF-8, percent-encoded, a slash as %2F */
      user_id: string;
    };
    query: Record<string, never>;
    body: undefined;
    answer: Accepted;
  };
  /** `POST /v1/rank`: Rank given items. Return the given items as a user would choose among them. */
  post_rank: {
    ids: Record<string, never>;
    query: Record<string, never>;
    body: RankRequest;
    answer: Ranking;
  };
  /**
   * `GET /v1/items/{item_id}/similar`: What is like an item. Return items of a similar text, and those that
   * users came to with it.
   */
  get_similar: {
    ids: {
      /** 1 to 256 bytes of UTF-8, percent-encoded, a slash as %2F */
      item_id: string;
    };
    query: {
      /** any of these */
      category?: Array<string> | null;
      /** none of these */
      not_category?: Array<string> | null;
      /** all of these */
      tag?: Array<string> | null;
      /** any of these */
      any_tag?: Array<string> | null;
      /** none of these */
      not_tag?: Array<string> | null;
      /** name:value, compared as text, as in rules: each name, and of one name any of its values */
      attribute?: Array<string> | null;
      /** name:value, none of these */
      not_attribute?: Array<string> | null;
      /** name:number, bound on an attribute, itself within; an item without such a number is not wanted */
      attribute_min?: Array<string> | null;
      /** the same from above */
      attribute_max?: Array<string> | null;
      /** bound on the attribute `price`, itself within */
      price_min?: number | null;
      /** bound on the attribute `price`, itself within */
      price_max?: number | null;
      /** most items */
      n?: number;
      /** ids of items to leave out; may be repeated */
      exclude?: Array<string> | null;
      /** the user's, in years; without it what the profile says, see rules */
      age?: number | null;
      /** of each item, at least */
      min_score?: number;
    };
    body: undefined;
    answer: Found;
  };
  /**
   * `GET /v1/search`: What answers a query. Return items by words, by meaning, and by what others chose after
   * such a query. Nothing learns from it: send the search as an event for that.
   */
  get_search: {
    ids: Record<string, never>;
    query: {
      /** what is asked for */
      q: string;
      /** any of these */
      category?: Array<string> | null;
      /** none of these */
      not_category?: Array<string> | null;
      /** all of these */
      tag?: Array<string> | null;
      /** any of these */
      any_tag?: Array<string> | null;
      /** none of these */
      not_tag?: Array<string> | null;
      /** name:value, compared as text, as in rules: each name, and of one name any of its values */
      attribute?: Array<string> | null;
      /** name:value, none of these */
      not_attribute?: Array<string> | null;
      /** name:number, bound on an attribute, itself within; an item without such a number is not wanted */
      attribute_min?: Array<string> | null;
      /** the same from above */
      attribute_max?: Array<string> | null;
      /** bound on the attribute `price`, itself within */
      price_min?: number | null;
      /** bound on the attribute `price`, itself within */
      price_max?: number | null;
      /** items of which the user has an event of any of these types; may be repeated */
      had?: Array<"view" | "click" | "purchase"> | null;
      /** items of which the user has none of these */
      not_had?: Array<"view" | "click" | "purchase"> | null;
      /** of `had` and `not_had`: how long ago at most; without it, ever */
      within_days?: number | null;
      /** items that the user was not shown for so long, as impressions say */
      not_shown_hours?: number | null;
      /** for whom; without it for nobody in particular */
      user_id?: string | null;
      /** like this item, but ... */
      item_id?: string | null;
      /** most items */
      n?: number;
      /** ids of items to leave out; may be repeated */
      exclude?: Array<string> | null;
      /** the user's, in years; without it what the profile says, see rules */
      age?: number | null;
      /** of each item, at least */
      min_score?: number;
    };
    body: undefined;
    answer: Found;
  };
  /** `GET /healthz`: Whether the process lives. Return that it does. */
  get_health: {
    ids: Record<string, never>;
    query: Record<string, never>;
    body: undefined;
    answer: State;
  };
  /**
   * `GET /readyz`: Whether lists can be read. Return 200 when all lists are there, and all that is ranked
   * from, else 503 and why.
   */
  get_readiness: {
    ids: Record<string, never>;
    query: Record<string, never>;
    body: undefined;
    answer: State;
  };
}

/** Where each operation is. */
export const OPERATIONS = {
  get_recommendations: ["GET", "/v1/users/{user_id}/recommendations"],
  get_popular: ["GET", "/v1/popular"],
  post_events: ["POST", "/v1/events"],
  delete_user: ["DELETE", "/v1/users/{user_id}"],
  put_item: ["PUT", "/v1/items/{item_id}"],
  delete_item: ["DELETE", "/v1/items/{item_id}"],
  put_rule: ["PUT", "/v1/rules/{rule_id}"],
  delete_rule: ["DELETE", "/v1/rules/{rule_id}"],
  get_profile: ["GET", "/v1/users/{user_id}/profile"],
  put_profile: ["PUT", "/v1/users/{user_id}/profile"],
  delete_profile: ["DELETE", "/v1/users/{user_id}/profile"],
  post_rank: ["POST", "/v1/rank"],
  get_similar: ["GET", "/v1/items/{item_id}/similar"],
  get_search: ["GET", "/v1/search"],
  get_health: ["GET", "/healthz"],
  get_readiness: ["GET", "/readyz"],
} as const;
