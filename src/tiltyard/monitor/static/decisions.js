function render({ model, el }) {
  el.classList.add("ty-decisions");
  const retrain = h("button", { type: "button", onclick: () => model.send({ kind: "retrain" }) }, "Retrain");
  const whyNot = h("p", { class: "ty-note" });
  const progress = h("progress", { max: 1, "aria-label": "Progress of the run" });
  const run = h("p", { class: "ty-note", "aria-live": "polite" });
  const which = h("select", { id: "ty-candidate" });
  const reason = h("input", { id: "ty-reason", type: "text", maxlength: 2000, autocomplete: "off", placeholder: "e.g. half the error since April" });
  const ask = h("button", { type: "button", class: "ty-primary", onclick: () => confirm(true) }, "To Champion");
  const question = h("span", {});
  const yes = h("button", { type: "button", class: "ty-primary", onclick: () => promote() }, "Yes, promote");
  const no = h("button", { type: "button", class: "ty-quiet", onclick: () => confirm(false) }, "Cancel");
  const asked = h("div", { class: "ty-confirm", hidden: true }, question, yes, no);
  const mayNot = h("p", { class: "ty-note" });
  const told = h("p", { class: "ty-told", role: "status" });
  el.append(
    h("section", { class: "ty-card" },
      h("div", { class: "ty-card-head" }, h("h2", {}, "Retrain")),
      h("p", {}, "Trains the champion's notebook on history and live data, and deploys the new version as a challenger."),
      h("div", { class: "ty-row" }, retrain), whyNot, progress, run),
    h("section", { class: "ty-card" },
      h("div", { class: "ty-card-head" }, h("h2", {}, "To Champion")),
      h("div", { class: "ty-row" },
        h("label", { class: "ty-field", for: "ty-candidate" }, h("span", {}, "Challenger"), which),
        h("label", { class: "ty-field ty-wide", for: "ty-reason" }, h("span", {}, "Reason, for the ledger"), reason),
        ask),
      asked, mayNot, told),
  );

  const offer = () => model.get("offer");
  const expected = () => offer().champion ?? null;
  const confirm = (open) => {
    if (open && !reason.value.trim()) {
      reason.focus();
      mayNot.textContent = "Say why: the ledger keeps the reason.";
      return;
    }
    asked.hidden = !open;
    asked.dataset.expected = JSON.stringify(expected());
    question.textContent = `Version ${expected() ?? "–"} → version ${which.value}?`;
    (open ? yes : ask).focus();
  };
  const promote = () => {
    asked.hidden = true;
    model.send({
      kind: "promote",
      version: Number(which.value),
      expected: JSON.parse(asked.dataset.expected),
      reason: reason.value,
    });
  };
  const update = () => {
    const { retrain: noRetrain, promote: noPromote, candidates = [] } = offer();
    const live = model.get("run");
    retrain.disabled = Boolean(noRetrain) || Boolean(live?.live);
    whyNot.textContent = noRetrain ?? "";
    progress.hidden = !live?.live;
    if (live?.live) progress.value = live.progress;
    run.textContent = live?.text ?? "";
    run.classList.toggle("ty-worse", Boolean(live?.failed));
    const before = which.value;
    const options = JSON.stringify(candidates);
    if (which.dataset.options !== options) {
      which.dataset.options = options;
      which.replaceChildren(...candidates.map((v) => h("option", { value: v }, `Version ${v}`)));
      if (candidates.map(String).includes(before)) which.value = before;
    }
    const obstacle = noPromote || (candidates.length ? "" : "There is no healthy challenger.");
    ask.disabled = yes.disabled = Boolean(obstacle);
    mayNot.textContent = obstacle;
    const text = model.get("told");
    if (text && text !== told.textContent && !text.startsWith("Not done")) reason.value = "";
    told.textContent = text;
  };
  return draw(model, el, "offer run told", update);
}
export default { render };
