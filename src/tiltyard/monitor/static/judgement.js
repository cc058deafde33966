const metricRow = (row) =>
  h(
    "tr",
    {},
    h("th", { scope: "row" }, row.name),
    h("td", {}, row.hold_out),
    h("td", {}, row.history),
    h("td", { title: row.hint || null }, row.live),
    h("td", { class: row.verdict ? `ty-${row.verdict}` : null }, row.change, row.verdict ? h("span", {}, ` ${row.verdict}`) : ""),
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
    h(
      "div",
      { class: "ty-figure" },
      h("b", {}, one.value),
      h("span", { class: one.verdict ? `ty-${one.verdict}` : "" }, one.change ? `${one.change} against the champion` : ""),
    ),
    h("div", { class: "ty-note" }, `${one.metric}, live`),
    h("div", { class: one.healthy ? "ty-note" : "ty-note ty-worse" }, `${one.state} · deployed ${one.since} UTC`),
  );

function render({ model, el }) {
  el.classList.add("ty-judgement");
  const update = () => {
    const rows = model.get("rows");
    if (!rows.length) {
      el.replaceChildren();
      return;
    }
    const heads = ["Metric", "Hold-out", "History", "Live", "Live against hold-out"];
    const table = h(
      "table",
      {},
      h("thead", {}, h("tr", {}, ...heads.map((text) => h("th", { scope: "col" }, text)))),
      h("tbody", {}, ...rows.map(metricRow)),
    );
    const standings = model.get("standings");
    const nobody = h("p", { class: "ty-note" }, "No version is deployed: `tiltyard deploy` a version first.");
    el.replaceChildren(
      h(
        "section",
        { class: "ty-card" },
        h("div", { class: "ty-card-head" }, h("h2", {}, `Metrics of ${model.get("heading").toLowerCase()}`)),
        h("div", { class: "ty-scroll" }, table),
        h("p", { class: "ty-note" }, model.get("caption")),
      ),
      h(
        "section",
        { class: "ty-card" },
        h("div", { class: "ty-card-head" }, h("h2", {}, "Champion and challengers")),
        standings.length ? h("ul", { class: "ty-standings" }, ...standings.map(standing)) : nobody,
        h("p", { class: "ty-note" }, model.get("change")),
      ),
    );
  };
  return draw(model, el, "heading rows caption standings change", update);
}
export default { render };
