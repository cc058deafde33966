const HEIGHT = 320;
const FADED = 0.45;

const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const slotColor = (slot) => color(`--ty-line-${slot % 8}`);
const faint = (css, share) => `color-mix(in srgb, ${css} ${100 * share}%, transparent)`;

const shown = (value) => {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 10000) return Math.round(value).toLocaleString("en");
  return String(Number(value.toPrecision(4)));
};

const layout = (panel) => {
  const data = [panel.x];
  const series = [{}];
  const bands = [];
  const add = (values, options) => {
    data.push(values);
    series.push(options);
    return series.length - 1;
  };
  for (const line of panel.lines) {
    const stroke = slotColor(line.slot);
    const ink = line.past ? faint(stroke, FADED) : stroke;
    if (line.low && line.high) {
      const hidden = { stroke: "transparent", points: { show: false }, spanGaps: true };
      const low = add(line.low, { ...hidden });
      const high = add(line.high, { ...hidden });
      bands.push({ series: [high, low], fill: faint(stroke, 0.14) });
    }
    const few = line.y.filter((y) => y !== null).length <= 60;
    add(line.y, {
      label: line.name,
      stroke: ink,
      width: 1.6,
      spanGaps: true,
      points: { show: few, size: 5, fill: ink },
      meta: line,
    });
  }
  return { data, series, bands };
};

const splitter = (panel) => (u) => {
  if (panel.split === null || panel.split === undefined) return;
  const x = u.valToPos(panel.split, "x", true);
  const { left, top, width, height } = u.bbox;
  if (x < left || x > left + width) return;
  const c = u.ctx;
  const ratio = devicePixelRatio;
  c.save();
  c.strokeStyle = color("--ty-muted");
  c.setLineDash([4 * ratio, 4 * ratio]);
  c.lineWidth = ratio;
  c.beginPath();
  c.moveTo(x, top);
  c.lineTo(x, top + height);
  c.stroke();
  c.fillStyle = color("--ty-muted");
  c.font = `${11 * ratio}px ${color("--ty-font")}`;
  const toRight = x < left + width * 0.8;
  c.textAlign = toRight ? "left" : "right";
  c.fillText("live", x + (toRight ? 6 : -6) * ratio, top + 12 * ratio);
  c.restore();
};

const options = (panel, built, width, readout) => {
  const axis = {
    stroke: color("--ty-muted"),
    font: `11px ${color("--ty-font")}`,
    grid: { stroke: color("--ty-grid"), width: 1 },
    ticks: { stroke: color("--ty-grid"), width: 1, size: 4 },
  };
  return {
    width,
    height: HEIGHT,
    series: built.series,
    bands: built.bands,
    legend: { show: false },
    scales: { x: { time: panel.time } },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
    axes: [{ ...axis, space: 70 }, { ...axis, size: 56, values: (_, ticks) => ticks.map(shown) }],
    cursor: { drag: { x: true, y: false }, points: { size: 6 } },
    hooks: { draw: [splitter(panel)], setCursor: [readout] },
  };
};

const when = (panel, x) =>
  panel.time ? new Date(x * 1000).toISOString().slice(0, 16).replace("T", " ") + " UTC" : `row ${x}`;

const legend = (panel) => {
  const seen = new Map();
  for (const line of panel.lines) if (!seen.has(line.name)) seen.set(line.name, line.slot);
  return h(
    "ul",
    { class: "ty-legend" },
    ...[...seen].map(([name, slot]) =>
      h("li", {}, h("i", { style: `background:${slotColor(slot)}` }), name, h("b", { "data-line": name })),
    ),
  );
};

class Panel {
  constructor(panel) {
    this.readout = h("span", { class: "ty-readout" });
    this.title = h("h2", {}, panel.title);
    this.note = h("p", { class: "ty-note" }, panel.note);
    this.plot = h("div", { class: "ty-plot", role: "img" });
    this.legend = h("div", {});
    this.root = h(
      "section",
      { class: "ty-card" },
      h("div", { class: "ty-card-head" }, this.title, this.readout),
      this.legend,
      this.plot,
      this.note,
    );
  }

  update(panel) {
    const shape = JSON.stringify(panel.lines.map((l) => [l.name, l.past, Boolean(l.low)]));
    const zoomed = this.u && this.full && !this.isFull() ? { ...this.u.scales.x } : null;
    const same = this.u && shape === this.shape && panel.title === this.panel.title;
    this.panel = panel;
    this.shape = shape;
    this.title.textContent = panel.title;
    this.note.textContent = `${panel.note}. Drag to zoom, double-click for all.`;
    this.plot.setAttribute("aria-label", `Chart of ${panel.title}; ${panel.note}`);
    this.legend.replaceChildren(legend(panel));
    this.build();
    if (same && zoomed) this.u.setScale("x", { min: zoomed.min, max: zoomed.max });
    this.full = [panel.x[0], panel.x[panel.x.length - 1]];
    this.plot.dataset.drawn = String(performance.now());
  }

  isFull() {
    const { min, max } = this.u.scales.x;
    return min <= this.full[0] && max >= this.full[1];
  }

  build() {
    this.u?.destroy();
    const built = layout(this.panel);
    const width = Math.max(280, this.plot.clientWidth || this.plot.parentElement?.clientWidth || 800);
    const readout = (u) => this.read(u);
    this.u = new uPlot(options(this.panel, built, width, readout), built.data, this.plot);
  }

  read(u) {
    const i = u.cursor.idx;
    for (const b of this.legend.querySelectorAll("b")) b.textContent = "";
    if (i === null || i === undefined) {
      this.readout.textContent = "";
      return;
    }
    this.readout.textContent = when(this.panel, this.panel.x[i]);
    for (const line of this.panel.lines) {
      if (line.y[i] === null) continue;
      for (const b of this.legend.querySelectorAll("b"))
        if (b.dataset.line === line.name) b.textContent = shown(line.y[i]);
    }
  }
}

function render({ model, el }) {
  el.classList.add("ty-chart");
  let drawn = [];
  const update = () => {
    const panels = model.get("panels");
    if (!panels.length) {
      drawn = [];
      el.replaceChildren(h("section", { class: "ty-card ty-empty" }, model.get("empty") || "Loading …"));
      return;
    }
    if (drawn.length !== panels.length) {
      drawn = panels.map((panel) => new Panel(panel));
      el.replaceChildren(...drawn.map((one) => one.root));
    }
    requestAnimationFrame(() => panels.forEach((panel, i) => drawn[i]?.update(panel)));
  };
  const rebuild = () => drawn.forEach((one) => one.u && one.build());
  let width = 0;
  const resized = new ResizeObserver(() => {
    if (Math.abs(el.clientWidth - width) < 2) return;
    width = el.clientWidth;
    rebuild();
  });
  resized.observe(el);
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  scheme.addEventListener("change", rebuild);
  const stop = draw(model, el, "panels empty", update);
  return () => {
    stop();
    resized.disconnect();
    scheme.removeEventListener("change", rebuild);
    drawn.forEach((one) => one.u?.destroy());
  };
}
export default { render };
