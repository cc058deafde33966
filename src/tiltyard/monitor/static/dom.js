const h = (tag, properties = {}, ...children) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== null && child !== ""));
  return element;
};

const draw = (model, el, names, render) => {
  const redraw = () => render();
  names.split(" ").forEach((name) => model.on(`change:${name}`, redraw));
  redraw();
  return () => names.split(" ").forEach((name) => model.off(`change:${name}`, redraw));
};

// The header waits for the kernel's acknowledgement whatever is sent, so that a lost connection
// is told soon after a click.
const SENT = "tiltyard-sent";
const tell = (model, message) => {
  model.send(message);
  document.dispatchEvent(new Event(SENT));
};

// Text with commands between backticks.
const prose = (text) => text.split("`").map((part, i) => (i % 2 ? h("code", {}, part) : part));
