const PATIENCE_S = 10;
const HURRY_S = 2;

function render({ model, el }) {
  const clock = h("span", { class: "ty-clock" });
  const now = h("button", { type: "button", class: "ty-quiet", onclick: () => send("tick") }, "Refresh");
  const pause = h("button", { type: "button", class: "ty-quiet", "aria-pressed": "false", onclick: () => toggle() }, "Pause");
  const user = h("span", { class: "ty-user" });
  const words = h("span", {});
  const reload = h("button", { type: "button", class: "ty-quiet", hidden: true, onclick: () => location.reload() }, "Reload");
  const alert = h("div", { class: "ty-alert", role: "alert" }, words, reload);
  const mark = h("span", { class: "ty-mark", "aria-hidden": "true" });
  const brand = h("h1", {}, mark, h("span", {}, "Tiltyard", h("small", {}, "Monitor")));
  el.classList.add("ty-header");
  el.append(h("div", { class: "ty-bar" }, brand, h("div", { class: "ty-status" }, user, clock, now, pause)), alert);

  let paused = false;
  let lost = false;
  let sentAt = null;
  let tickedAt = seconds();
  let hurriedAt = 0;

  function seconds() {
    return performance.now() / 1000;
  }
  const wait = () => {
    sentAt ??= seconds();
  };
  const send = (kind) => {
    if (kind === "tick") {
      tickedAt = seconds();
      el.dataset.ticked = String(performance.now());
    }
    wait();
    model.send({ kind });
  };
  const toggle = () => {
    paused = !paused;
    pause.textContent = paused ? "Resume" : "Pause";
    pause.setAttribute("aria-pressed", String(paused));
    if (!paused) send("tick");
    show();
  };
  const show = () => {
    const text = lost ? "Connection lost \u2014 reload the page. What was begun goes on." : model.get("alert");
    alert.classList.toggle("ty-shown", Boolean(text));
    if (words.textContent !== text) words.textContent = text;
    reload.hidden = !/reload the page/i.test(text);
    user.textContent = model.get("user");
    const updated = model.get("updated");
    clock.textContent = updated ? `${paused ? "paused, " : ""}updated ${updated} UTC` : "";
    if (el.dataset.looks !== String(model.get("looks"))) {
      el.dataset.looks = String(model.get("looks"));
      el.dataset.looked = String(performance.now());
    }
  };
  const acknowledged = () => {
    sentAt = null;
    if (!lost) return;
    lost = false;
    show();
  };
  const step = () => {
    if (sentAt !== null && seconds() - sentAt > PATIENCE_S && !lost) {
      lost = true;
      show();
    }
    if (seconds() - tickedAt >= model.get("every")) {
      // A paused page still says that it is there.
      if (paused) tickedAt = seconds();
      send(paused ? "here" : "tick");
    } else if (!paused && !lost && model.get("hurry") && seconds() - hurriedAt >= HURRY_S) {
      hurriedAt = seconds();
      send("hurry");
    }
  };

  const sentByOthers = () => wait();
  document.addEventListener(SENT, sentByOthers);
  model.on("change:acknowledged", acknowledged);
  const stop = draw(model, el, "alert updated user looks", show);
  const timer = setInterval(step, 250);
  if (!model.get("updated")) send("tick");
  return () => {
    clearInterval(timer);
    stop();
    model.off("change:acknowledged", acknowledged);
    document.removeEventListener(SENT, sentByOthers);
  };
}
export default { render };
