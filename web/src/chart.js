// The chart. uPlot (loaded by index.html as a classic script) draws; this chooses colours from the
// style sheet, formats the axes, and follows the size of its place and the colours of the page.

// The drawing style of a line, by its role.
const ROLES = {
  raw: { width: 1, swatch: "raw" },
  main: { width: 2.5, swatch: "smooth" },
  validation: { width: 2, swatch: "validation" },
};

// These distinguish strategies, as colour does; chart.rs draws the legend's.
const DASHES = [[], [9, 4], [2, 3], [11, 3, 2, 3]];

const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

function seconds(value) {
  if (value < 120) return `${+value.toFixed(1)} s`;
  if (value < 7200) return `${+(value / 60).toFixed(1)} min`;
  return `${+(value / 3600).toFixed(1)} h`;
}

const AXES = {
  step: { label: "Step", format: (value) => short.format(value) },
  tokens: { label: "Tokens", format: (value) => short.format(value) },
  time: { label: "Time", format: seconds },
};

// True for a column that no line can be drawn through.
function single(column) {
  return column.filter((value) => value != null).length === 1;
}

// uPlot draws gaps at null values.
function gaps(column) {
  return Array.from(column, (value) => (Number.isNaN(value) ? null : value));
}

export class Chart {
  constructor(host) {
    this.host = host;
    this.last = null;
    this.plot = null;
    this.kind = "";
    this.redraw = () => {
      this.kind = "";
      if (this.last) this.draw(...this.last);
    };
    this.sizes = new ResizeObserver(() => this.plot?.setSize(this.size()));
    this.dark = matchMedia("(prefers-color-scheme: dark)");
    this.dark.addEventListener("change", this.redraw);
    this.theme = new MutationObserver(this.redraw);
    this.theme.observe(document.documentElement, { attributeFilter: ["data-theme"] });
  }

  // `lines`: the fields of `Line` in curves.rs. `columns`: x, then one for each line. `axis`: a key of AXES.
  draw(axis, log, lines, columns) {
    this.last = [axis, log, lines, columns];
    const data = [columns[0], ...columns.slice(1).map(gaps)];
    const kind = JSON.stringify([axis, log, lines]);
    if (kind === this.kind && this.plot) {
      this.plot.setData(data);
      return;
    }
    this.kind = kind;
    this.plot?.destroy();
    this.plot = new globalThis.uPlot(this.options(axis, log, lines), data, this.host);
    // The height of the values under the cursor is known once they are laid out, and changes with their number.
    this.sizes.disconnect();
    [this.host, this.host.querySelector(".u-legend")].forEach((part) => part && this.sizes.observe(part));
  }

  destroy() {
    this.sizes.disconnect();
    this.theme.disconnect();
    this.dark.removeEventListener("change", this.redraw);
    this.plot?.destroy();
  }

  // uPlot puts the values under the cursor below the height that it is given.
  size() {
    const legend = this.host.querySelector(".u-legend")?.offsetHeight ?? (innerWidth > 640 ? 32 : 0);
    return { width: Math.max(this.host.clientWidth, 100), height: Math.max(this.host.clientHeight - legend, 100) };
  }

  // The colour that the style sheet gives the legend's swatch, as the canvas understands it.
  colour(selector) {
    const element = this.host.closest("figure").querySelector(selector);
    return getComputedStyle(element ?? this.host).color;
  }

  series({ label, role, place, alone, points }) {
    const { width, swatch } = ROLES[role];
    const stroke = this.colour(alone ? `.swatch.${swatch}` : `.run-${place % 6}`);
    const dash = alone ? (role === "validation" ? [7, 5] : []) : DASHES[place % DASHES.length];
    return {
      label,
      width: alone || role !== "validation" ? width : 1.25,
      dash,
      stroke,
      alpha: !alone && role === "raw" ? 0.35 : 1,
      spanGaps: true,
      points: { show: (plot, index) => points || single(plot.data[index]), size: 6, fill: stroke },
      value: (_, value) => (value == null ? "–" : +value.toPrecision(4)),
    };
  }

  options(axis, log, lines) {
    const { label, format } = AXES[axis];
    const ink = this.colour(".legend");
    const grid = { stroke: this.colour(".plot"), width: 1 };
    const font = `12px ${getComputedStyle(this.host).fontFamily}`;
    const ticks = { ...grid, size: 4 };
    return {
      ...this.size(),
      padding: [12, 12, 0, 0],
      cursor: { points: { size: 7 }, drag: { x: true, y: false } },
      legend: { live: true },
      scales: { x: { time: false }, y: log ? { distr: 3, range: (_, low, high) => [low / 1.05, high * 1.05] } : {} },
      axes: [
        {
          stroke: ink, grid, ticks, font, size: 34,
          values: (_, splits) => splits.map(format),
        },
        {
          stroke: ink, grid, ticks, font, size: 46,
          filter: (_, splits) => splits,
          values: (_, splits) => splits.map((value) => (value == null ? "" : +value.toPrecision(3))),
        },
      ],
      series: [{ label, value: (_, value) => (value == null ? "–" : format(value)) }, ...lines.map((line) => this.series(line))],
    };
  }
}
