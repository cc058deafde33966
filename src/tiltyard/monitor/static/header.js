const PATIENCE_S = 20;
const HURRY_S = 2;

function render({ model, el }) {
  const clock = h("span", { class: "ty-clock", "aria-live": "off" });
  const pause = h("button", { type: "button", class: "ty-quiet", onclick: () => toggle() }, "Pause");
  const user = h("span", { class: "ty-user" });
  const alert = h("div", { class: "ty-alert", role: "alert", hidden: true });
  const brand = h("h1", {}, h("span", { class: "ty-mark", "aria-hidden": "true" }), "Tiltyard Monitor");
  el.classList.add("ty-header");
  el.append(h("div", { class: "ty-bar" }, brand, h("div", { class: "ty-status" }, user, clock, pause)), alert);

  let paused = false;
  let sentAt = null;
  let lastTick = 0;
  let lost = false;

  const now = () => performance.now() / 1000;
  const send = (kind) => {
    if (sentAt !== null) return;
    sentAt = now();
    if (kind === "tick") lastTick = sentAt;
    model.send({ kind });
  };
  const toggle = () => {
    paused = !paused;
    pause.textContent = paused ? "Resume" : "Pause";
    pause.setAttribute("aria-pressed", paused);
    if (!paused) send("tick");
    show();
  };
  const show = () => {
    const text = lost
      ? "Connection lost. Reload this page; nothing is lost by that."
      : model.get("alert");
    alert.hidden = !text;
    if (alert.textContent !== text) alert.textContent = text;
    user.textContent = model.get("user");
    const updated = model.get("updated");
    clock.textContent = updated ? `${paused ? "paused, " : ""}updated ${updated} UTC` : "loading …";
  };
  const acknowledged = () => {
    sentAt = null;
    lost = false;
    show();
  };
  let hurriedAt = 0;
  const step = () => {
    if (sentAt !== null) {
      if (now() - sentAt > PATIENCE_S && !lost) {
        lost = true;
        show();
      }
      return;
    }
    if (paused) return;
    if (now() - lastTick >= model.get("every")) send("tick");
    else if (model.get("hurry") && now() - hurriedAt >= HURRY_S) {
      hurriedAt = now();
      send("hurry");
    }
  };

  model.on("change:acknowledged", acknowledged);
  model.on("change:alert change:updated change:user", show);
  const timer = setInterval(step, 250);
  show();
  send("tick");
  return () => clearInterval(timer);
}
export default { render };
