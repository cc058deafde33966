const HEADS = ["Metric", "Hold-out", "History", "Live", "Change"];

const cell = (text, properties = {}) => h("td", properties, text);
const metricRow = (row) =>
  h(
    "tr",
    { "data-metric": row.metric },
    h("th", { scope: "row" }, row.name),
    cell(row.hold_out),
    cell(row.history),
    cell(row.hint ? h("abbr", { title: row.hint, tabindex: 0, "aria-label": `${row.live}, ${row.hint}` }, row.live) : row.live),
    cell(`${row.change}${row.verdict ? ` ${row.verdict}` : ""}`, { class: row.verdict ? `ty-${row.verdict}` : null }),
  );

const table = (heads, rows, caption) =>
  h(
    "table",
    { "aria-label": caption },
    h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", {}, ...rows),
  );

const confusion = ({ classes, rows }) =>
  h(
    "div",
    { class: "ty-scroll" },
    h("h3", {}, "Live rows: actual by predicted"),
    table(
      ["Actual", ...classes.map((name) => `predicted ${name}`)],
      rows.map((row, i) =>
        h("tr", {}, h("th", { scope: "row" }, classes[i]), ...row.map((n, j) => cell(n, { class: i === j ? "ty-right" : null }))),
      ),
      "Confusion matrix of the live rows",
    ),
  );

const standing = (one) =>
  h(
    "li",
    { class: one.champion ? "ty-standing ty-champion" : "ty-standing", "data-version": one.version },
    h(
      "div",
      { class: "ty-standing-head" },
      h("strong", {}, `Version ${one.version}`),
      h("span", { class: "ty-badge" }, one.champion ? "champion" : "challenger"),
    ),
    h("div", { class: "ty-what" }, one.what),
    one.healthy
      ? h(
          "div",
          { class: "ty-figure" },
          h("b", {}, one.value),
          h("span", {}, `${one.metric}, ${one.rows}`),
          one.change ? h("span", { class: one.verdict ? `ty-${one.verdict}` : null }, one.change) : "",
        )
      : "",
    h("div", { class: one.healthy ? "ty-note" : "ty-note ty-worse" }, one.state),
    h("div", { class: "ty-note" }, one.since),
  );

function render({ model, el }) {
  el.classList.add("ty-judgement");
  const update = () => {
    const { heading, rows, caption, finding, degraded, confusion: counts, standings, change } = model.get("shown");
    if (!rows) {
      el.replaceChildren();
      return;
    }
    const nobody = h("p", { class: "ty-note" }, ...prose("No version is deployed. A scientist deploys one: `tiltyard deploy <model> <version>`."));
    el.replaceChildren(
      h(
        "section",
        { class: "ty-card" },
        h("div", { class: "ty-card-head" }, h("h2", {}, heading)),
        finding ? h("p", { class: degraded ? "ty-finding ty-degraded" : "ty-finding" }, finding) : "",
        h("div", { class: "ty-scroll" }, table(HEADS, rows.map(metricRow), heading)),
        counts ? confusion(counts) : "",
        h("p", { class: "ty-note" }, caption),
      ),
      h(
        "section",
        { class: "ty-card" },
        h("div", { class: "ty-card-head" }, h("h2", {}, "Champion and challengers")),
        standings.length ? h("ul", { class: "ty-standings" }, ...standings.map(standing)) : nobody,
        h("p", { class: "ty-note ty-change" }, change),
      ),
    );
  };
  return draw(model, el, "shown", update);
}
export default { render };
