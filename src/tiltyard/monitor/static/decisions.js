function render({ model, el }) {
  el.classList.add("ty-decisions");
  const retrain = h("button", { type: "button", onclick: () => tell(model, { kind: "retrain" }) }, "Retrain");
  const mayNotRetrain = h("p", { class: "ty-note" });
  const progress = h("progress", { max: 1, "aria-label": "Progress of the run" });
  const run = h("p", { class: "ty-note ty-run", "aria-live": "polite" });
  const retold = h("p", { class: "ty-note", role: "status" });
  const which = h("select", { id: "ty-candidate", onchange: () => confirm(false) });
  const reason = h("input", { id: "ty-reason", type: "text", maxlength: 2000, autocomplete: "off", placeholder: "e.g. half the error since April" });
  const ask = h("button", { type: "button", class: "ty-primary", onclick: () => confirm(true) }, "To Champion");
  const question = h("span", { class: "ty-question" });
  const yes = h("button", { type: "button", class: "ty-primary", onclick: () => promote() }, "Yes, promote");
  const no = h("button", { type: "button", onclick: () => confirm(false) }, "Cancel");
  const confirmation = h("div", { class: "ty-confirm", role: "group", "aria-label": "Confirm the promotion", hidden: true }, question, yes, no);
  const mayNotPromote = h("p", { class: "ty-note ty-obstacle" });
  const told = h("p", { class: "ty-told", role: "status" });
  const cards = [
    h("section", { class: "ty-card" },
      h("div", { class: "ty-card-head" }, h("h2", {}, "Retrain")),
      h("p", { class: "ty-lead" }, "Trains the champion\u2019s notebook on history and live data; the new version becomes a challenger."),
      h("div", { class: "ty-row" }, retrain), mayNotRetrain, progress, run, retold),
    h("section", { class: "ty-card" },
      h("div", { class: "ty-card-head" }, h("h2", {}, "To Champion")),
      h("div", { class: "ty-row" },
        h("label", { class: "ty-field", for: "ty-candidate" }, h("span", {}, "Challenger"), which),
        h("label", { class: "ty-field ty-wide", for: "ty-reason" }, h("span", {}, "Reason, for the ledger"), reason),
        ask),
      confirmation, mayNotPromote, told),
  ];

  // What was on the page when the question was asked is what is promoted against.
  let pending = null;
  const confirm = (open) => {
    const refused = open && !reason.value.trim();
    mayNotPromote.textContent = refused ? "Say why: the ledger keeps the reason." : obstacle();
    if (refused) reason.focus();
    const wasOpen = !confirmation.hidden;
    confirmation.hidden = !open || refused;
    if (confirmation.hidden) {
      pending = null;
      if (wasOpen) ask.focus();
      return;
    }
    const expected = model.get("offer").champion ?? null;
    pending = { version: Number(which.value), expected };
    const from = expected === null ? "no champion" : `version ${expected}`;
    question.textContent = `Champion: ${from} \u2192 version ${which.value}?`;
    yes.focus();
  };
  const promote = () => {
    tell(model, { kind: "promote", ...pending, reason: reason.value });
    confirmation.hidden = true;
    pending = null;
  };
  const obstacle = () => {
    const { promote: mayNot, candidates = [] } = model.get("offer");
    return mayNot || (candidates.length ? "" : "There is no healthy challenger to promote.");
  };
  const offered = () => {
    const { retrain: mayNot, candidates } = model.get("offer");
    if (!candidates) {
      el.replaceChildren();
      return;
    }
    if (!el.firstChild) el.append(...cards);
    const busy = model.get("busy");
    const current = model.get("run");
    retrain.disabled = busy || Boolean(mayNot) || Boolean(current?.live);
    mayNotRetrain.textContent = mayNot ?? "";
    const before = which.value;
    const options = JSON.stringify(candidates);
    if (which.dataset.options !== options) {
      which.dataset.options = options;
      which.replaceChildren(...candidates.map((v) => h("option", { value: v }, `Version ${v}`)));
      if (candidates.map(String).includes(before)) which.value = before;
    }
    ask.disabled = yes.disabled = busy || Boolean(obstacle());
    ask.textContent = busy ? "Working \u2026" : "To Champion";
    mayNotPromote.textContent = obstacle();
  };
  const running = () => {
    const current = model.get("run");
    progress.hidden = !current?.live;
    if (current?.live) progress.value = current.progress;
    const text = current?.text ?? "";
    if (run.textContent !== text) run.textContent = text;
    run.classList.toggle("ty-worse", Boolean(current?.failed));
    offered();
  };
  const answered = () => {
    const { text = "", good = true, of } = model.get("told");
    told.textContent = of === "promote" ? text : "";
    retold.textContent = of === "retrain" && !model.get("run")?.live ? text : "";
    told.classList.toggle("ty-worse", !good);
    if (good && of === "promote") reason.value = "";
  };
  const stops = [
    draw(model, el, "offer busy", offered),
    draw(model, el, "run", running),
    draw(model, el, "told", answered),
  ];
  return () => stops.forEach((stop) => stop());
}
export default { render };
