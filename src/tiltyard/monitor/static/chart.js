const FADED = 0.55;
const FEW = 60;

const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const ink = (slot) => css(`--ty-line-${slot % 8}`);
const faint = (color, share) => `color-mix(in srgb, ${color} ${100 * share}%, transparent)`;

const short = (value) => {
  const size = Math.abs(value);
  if (size >= 10000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(4)));
};
const stamp = (seconds) => new Date(seconds * 1000).toISOString().slice(0, 16).replace("T", " ");
const UNITS = {
  number: short,
  share: (value) => `${Number((100 * value).toPrecision(3))} %`,
  time: (value) => stamp(value),
  date: (value) => stamp(value * 86400).slice(0, 10),
};

// Rows of the time axis: from which distance of ticks, how, and what is added where the next
// larger unit begins. Numbers and English months, 24 hours.
const TICKS = [
  [31536000, "{YYYY}", null],
  [2419200, "{MMM}", "\n{YYYY}"],
  [86400, "{D} {MMM}", "\n{YYYY}"],
  [60, "{HH}:{mm}", "\n{D} {MMM} {YYYY}", "\n{D} {MMM}"],
  [1, "{HH}:{mm}:{ss}", "\n{D} {MMM} {YYYY}", "\n{D} {MMM}"],
].map(([from, each, year, day = null]) => [from, each, year, null, day, null, null, null, 1]);

// History and live points share no times: joining them leaves other parts' places undefined,
// which are no gaps, while a null of their own is one.
const layout = (panel) => {
  const tables = [];
  const series = [{}];
  const bands = [];
  for (const part of panel.parts) {
    const table = [part.x];
    const add = (values, options) => {
      table.push(values);
      return series.push(options) - 1;
    };
    for (const line of part.lines) {
      const slot = panel.names.indexOf(line.name);
      const color = ink(slot);
      const stroke = part.past ? faint(color, FADED) : color;
      if (line.low && line.high) {
        const low = add(line.low, { stroke: "transparent", points: { show: false } });
        const high = add(line.high, { stroke: "transparent", points: { show: false } });
        bands.push({ series: [high, low], fill: faint(color, part.past ? 0.07 : 0.13) });
      }
      const few = part.x.length <= FEW;
      const dash = slot >= 8 ? [6, 4] : undefined;
      add(line.y, {
        label: line.name,
        stroke,
        dash,
        width: part.x.length > 1500 ? 1 : 1.6,
        points: few ? { show: true, size: 5, fill: stroke, stroke } : { show: true, size: 4, fill: stroke, stroke, filter: lonely },
        line: true,
      });
    }
    tables.push(table);
  }
  return { data: tables.length > 1 ? uPlot.join(tables) : tables[0], series, bands };
};

const splitter = (chart) => (u) => {
  const { split } = chart.panel;
  if (split === null || split === undefined) return;
  const x = u.valToPos(split, "x", true);
  const { left, top, width, height } = u.bbox;
  if (x < left || x > left + width) return;
  const c = u.ctx;
  const ratio = devicePixelRatio;
  c.save();
  c.strokeStyle = c.fillStyle = css("--ty-muted");
  c.setLineDash([4 * ratio, 4 * ratio]);
  c.lineWidth = ratio;
  c.beginPath();
  c.moveTo(x, top);
  c.lineTo(x, top + height);
  c.stroke();
  c.font = `600 ${11 * ratio}px ${css("--ty-font")}`;
  const toRight = x < left + width * 0.8;
  c.textAlign = toRight ? "left" : "right";
  c.fillText(toRight ? "live \u2192" : "live", x + (toRight ? 6 : -6) * ratio, top + 12 * ratio);
  c.restore();
};

// A value between two gaps has no line: it gets a dot.
const lonely = (u, i) => {
  const own = [];
  u.data[i].forEach((y, at) => y !== undefined && own.push(at));
  const none = (at) => at === undefined || u.data[i][at] === null;
  return own.filter((at, k) => !none(at) && none(own[k - 1]) && none(own[k + 1]));
};

class Chart {
  constructor(panel) {
    this.readout = h("span", { class: "ty-readout" });
    this.reset = h("button", { type: "button", class: "ty-quiet", hidden: true, onclick: () => this.zoom(null) }, "Show all");
    this.title = h("h2", {});
    this.note = h("p", { class: "ty-note" });
    this.plot = h("div", { class: "ty-plot", role: "img" });
    this.legend = h("ul", { class: "ty-legend" });
    this.root = h(
      "section",
      { class: "ty-card" },
      h("div", { class: "ty-card-head" }, this.title, h("div", { class: "ty-tools" }, this.readout, this.reset)),
      this.legend,
      this.plot,
      this.note,
    );
    this.panel = panel;
    this.zoomed = null;
  }

  update(panel) {
    const shape = JSON.stringify([panel.key, panel.names, panel.unit, panel.parts.map((p) => p.lines.map((l) => [l.name, !l.low]))]);
    if (panel.key !== this.panel.key) this.zoomed = null;
    this.panel = panel;
    this.title.textContent = panel.title;
    this.note.textContent = `${panel.note}. Drag to zoom, double-click for all.`;
    this.plot.setAttribute("aria-label", `Chart of ${panel.title}. ${panel.note}.`);
    if (shape === this.shape && this.u) {
      this.u.setData(layout(panel).data, false);
      this.zoom(this.zoomed);
    } else {
      this.shape = shape;
      this.build();
    }
    this.plot.dataset.drawn = String(performance.now());
  }

  build() {
    this.u?.destroy();
    const { data, series, bands } = layout(this.panel);
    const { panel } = this;
    const axis = {
      stroke: css("--ty-muted"),
      font: `11px ${css("--ty-font")}`,
      grid: { stroke: css("--ty-grid"), width: 1 },
      ticks: { show: false },
    };
    const unit = UNITS[panel.unit];
    const labels = (_, ticks) => ticks.map((tick) => (panel.unit === "time" ? unit(tick).slice(0, 10) : unit(tick)));
    const options = {
      ...this.size(),
      series,
      bands,
      legend: { show: false },
      padding: [10, 24, 0, 0],
      scales: { x: { time: panel.time } },
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      axes: [
        { ...axis, space: 64, ...(panel.time ? { values: TICKS } : { label: "row", labelSize: 18, labelFont: axis.font }) },
        { ...axis, size: panel.unit === "number" || panel.unit === "share" ? 50 : 78, values: labels },
      ],
      cursor: { drag: { x: true, y: false }, points: { size: 7 } },
      hooks: {
        draw: [splitter(this)],
        setCursor: [() => this.read()],
        setSelect: [(u) => this.selected(u)],
      },
    };
    this.u = new uPlot(options, data, this.plot);
    this.u.over.addEventListener("dblclick", () => this.zoom(null));
    this.zoom(this.zoomed);
    this.read();
  }

  size() {
    const width = Math.max(240, this.plot.clientWidth || this.root.clientWidth - 36 || 600);
    return { width, height: width < 520 ? 260 : 330 };
  }

  selected(u) {
    if (u.select.width < 4) return;
    this.zoomed = { min: u.posToVal(u.select.left, "x"), max: u.posToVal(u.select.left + u.select.width, "x") };
    this.reset.hidden = false;
  }

  zoom(range) {
    this.zoomed = range;
    this.reset.hidden = !range;
    const x = this.u.data[0];
    let [min, max] = range ? [range.min, range.max] : [x[0], x[x.length - 1]];
    if (min === max) [min, max] = [min - 1800, max + 1800];
    this.u.setScale("x", { min, max });
  }

  read() {
    const { left, idxs, idx } = this.u?.cursor ?? {};
    const there = left !== undefined && left >= 0 && idx !== null && idx !== undefined;
    const values = new Map();
    let at = there ? this.u.data[0][idx] : null;
    if (there) {
      this.u.series.forEach((one, i) => {
        const value = one.line && idxs[i] !== null ? this.u.data[i][idxs[i]] : null;
        if (value !== null && value !== undefined) values.set(one.label, value);
      });
    }
    this.readout.textContent = at === null ? "" : this.panel.time ? `${stamp(at)} UTC` : `row ${at.toLocaleString("en")}`;
    const say = UNITS[this.panel.unit];
    const items = this.panel.names.map((name, slot) =>
      h(
        "li",
        { "data-line": name },
        h("i", { style: `background:${ink(slot)}` }),
        name,
        h("b", {}, values.has(name) ? say(values.get(name)) : ""),
      ),
    );
    this.legend.replaceChildren(...items);
  }
}

function render({ model, el }) {
  el.classList.add("ty-chart");
  let charts = [];
  const clear = () => {
    charts.forEach((chart) => chart.u?.destroy());
    charts = [];
  };
  const update = () => {
    const panels = model.get("panels");
    if (!panels.length) {
      clear();
      const text = model.get("empty");
      el.replaceChildren(h("section", { class: "ty-card ty-empty" }, h("p", {}, ...prose(text || "Waiting for control \u2026"))));
      return;
    }
    if (charts.length !== panels.length) {
      clear();
      charts = panels.map((panel) => new Chart(panel));
      el.replaceChildren(...charts.map((chart) => chart.root));
    }
    // A plot needs its width, and the element is in the page only after this call.
    requestAnimationFrame(() => panels.forEach((panel, i) => charts[i]?.update(panel)));
  };
  const resized = new ResizeObserver(() =>
    charts.forEach((chart) => {
      if (chart.u && Math.abs(chart.u.width - chart.size().width) > 1) chart.u.setSize(chart.size());
    }),
  );
  resized.observe(el);
  const rebuild = () => charts.forEach((chart) => chart.u && chart.build());
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", rebuild);
  const stop = draw(model, el, "panels empty", update);
  return () => {
    stop();
    resized.disconnect();
    scheme.removeEventListener("change", rebuild);
    clear();
  };
}
export default { render };
