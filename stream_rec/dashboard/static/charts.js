// Lines over the last ten minutes, by uPlot, in the page's colours.

import { fill, h } from "./dom.js";
import { clockTime } from "./format.js";

const HEIGHT = 168;
const drawn = new Set();
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => drawn.forEach((chart) => chart.build()));

const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// series: [{ label, colour: "--line-1", dash, of: point => number | null }]
export class Chart {
  constructor({ title, series, format, tick = format, note }) {
    Object.assign(this, { title, series, format, tick });
    this.values = series.map(() => h("b", { class: "num" }, "–"));
    const keys = series.map((each, index) =>
      h("li", {}, h("i", { class: `key ${each.dash ? "dashed" : ""} ${each.className}`, "aria-hidden": "true" }),
        each.label, " ", this.values[index]));
    this.plot = h("div", { class: "plot", role: "img", "aria-label": title });
    this.at = h("span", { class: "at" });
    this.element = h("figure", { class: "card chart" },
      h("figcaption", {}, h("h2", {}, title), h("span", { class: "quiet" }, note, " ", this.at)),
      this.plot, h("ul", { class: "keys" }, keys));
    this.observer = new ResizeObserver(() => this.resize());
    this.points = [];
  }

  begin(signal) {
    drawn.add(this);
    this.observer.observe(this.plot);
    signal.addEventListener("abort", () => {
      drawn.delete(this);
      this.observer.disconnect();
      this.made?.destroy();
      this.made = null;
    });
  }

  data() {
    const now = this.points.at(-1)?.at_ms ?? Date.now();
    const times = this.points.map((point) => point.at_ms / 1000);
    const lines = this.series.map((each) => this.points.map((point) => each.of(point)));
    const first = this.points[0]?.at_ms ?? now;
    this.range = [Math.max(now - 600_000, Math.min(first, now - 60_000)) / 1000, now / 1000];
    return [times, ...lines];
  }

  build() {
    this.made?.destroy();
    const width = this.plot.clientWidth;
    if (!width || !window.uPlot) return;
    const quiet = colour("--quiet");
    const axis = { stroke: quiet, font: "11px system-ui, sans-serif", ticks: { show: false },
      grid: { stroke: colour("--line"), width: 1 } };
    this.made = new window.uPlot({
      width,
      height: HEIGHT,
      padding: [8, 20, 0, 0],
      legend: { show: false },
      cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
      scales: { x: { time: true, range: () => this.range },
        y: { range: (_, least, most) => [0, most > 0 ? most * 1.15 : 1] } },
      axes: [
        { ...axis, grid: { show: false }, size: 28, space: 64, incrs: [15, 30, 60, 120, 300],
          values: (_, ticks, __, ___, step) =>
            ticks.map((tick) => clockTime(tick * 1000).slice(0, step < 60 ? 8 : 5)) },
        { ...axis, size: 52, space: 36, values: (_, ticks) => ticks.map((each) => this.tick(each)) },
      ],
      series: [{}, ...this.series.map((each) => ({
        stroke: colour(each.colour), width: 1.5, dash: each.dash, points: { show: false }, spanGaps: false }))],
      hooks: { setCursor: [(plot) => this.show(plot.cursor.idx)] },
    }, this.data(), this.plot);
  }

  resize() {
    if (!this.made) this.build();
    else if (this.made.width !== this.plot.clientWidth) {
      this.made.setSize({ width: this.plot.clientWidth, height: HEIGHT });
    }
  }

  put(points) {
    this.points = points;
    if (this.made) this.made.setData(this.data());
    else this.build();
    this.show(this.made?.cursor.idx);
  }

  show(index) {
    const isPast = index !== null && index !== undefined;
    const point = isPast ? this.points[index] : this.points.at(-1);
    this.series.forEach((each, number) => {
      const value = point ? each.of(point) : null;
      fill(this.values[number], value === null ? "–" : this.format(value));
    });
    fill(this.at, isPast && point ? `· at ${clockTime(point.at_ms)}` : "");
  }
}
