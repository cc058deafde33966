function render({ model, el }) {
  el.classList.add("ty-controls");
  const selects = new Map();
  const choose = (name, value) => tell(model, { kind: "choose", chosen: { [name]: value } });

  const field = (one) => {
    const select = h("select", { id: `ty-${one.name}`, onchange: () => choose(one.name, select.value) });
    selects.set(one.name, select);
    el.append(h("label", { class: "ty-field", for: `ty-${one.name}` }, h("span", {}, one.label), select));
    return select;
  };
  const update = () => {
    for (const one of model.get("fields")) {
      const select = selects.get(one.name) ?? field(one);
      const options = JSON.stringify(one.options);
      if (select.dataset.options !== options) {
        select.dataset.options = options;
        select.replaceChildren(...one.options.map((o) => h("option", { value: o.value }, o.label)));
      }
      select.value = one.value;
    }
  };
  return draw(model, el, "fields", update);
}
export default { render };
