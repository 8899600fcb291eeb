"use strict";
// Choose subject, method and image; compare stimulus and reconstruction. All data are in HAVIR.

const data = window.HAVIR;
const form = document.getElementById("choices");
const at = (id) => document.getElementById(id);
const chosen = { image: null, among: [] };

function fill(name, options) {
  const select = form.elements[name];
  const before = select.value;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
  if (options.some(([value]) => value === before)) select.value = before;
}

function scoresOf(image) {
  const own = data.scores[form.elements.subject.value][form.elements.method.value] || {};
  return own[image.id] || [];
}

function folder() {
  const number = data.methods.indexOf(form.elements.method.value);
  return `explorer/${form.elements.subject.value}/${number}`;
}

function shown() {
  const subject = form.elements.subject.value;
  const words = form.elements.words.value.trim().toLowerCase();
  const group = form.elements.group.value;
  const kept = data.images.filter((image) =>
    data.seen[subject].includes(image.id)
    && (!group || image.group === group)
    && (!words || image.caption.toLowerCase().includes(words)));
  const key = form.elements.sort.value;
  const metric = data.metrics.findIndex((x) => x.name === key);
  const value = (image) => metric < 0 ? image[key] : scoresOf(image)[metric] * (data.metrics[metric].higher ? -1 : 1);
  return kept.sort((a, b) => (value(a) ?? 1e9) - (value(b) ?? 1e9) || a.id - b.id);
}

function rank(image, metric) {
  const higher = data.metrics[metric].higher;
  const own = scoresOf(image)[metric];
  const all = chosen.among.map((x) => scoresOf(x)[metric]);
  return 1 + all.filter((x) => higher ? x > own : x < own).length;
}

function show(image) {
  chosen.image = image.id;
  at("seen").src = `explorer/stimuli/${image.id}.webp`;
  at("drawn").src = `${folder()}/${image.id}.webp`;
  at("seen").alt = `stimulus: ${image.caption || "image " + image.id}`;
  at("drawn").alt = `reconstruction of ${form.elements.subject.value} by ${form.elements.method.value}`;
  at("about").textContent = `${image.caption || "Image " + image.id} Edge density ${image.complexity.toFixed(3)}; ${image.group}.`;
  const scores = scoresOf(image);
  at("scores").tBodies[0].replaceChildren(...data.metrics.map((metric, k) => {
    const row = document.createElement("tr");
    for (const text of [metric.label, scores[k] === undefined ? "–" : scores[k].toFixed(3),
                        scores[k] === undefined ? "–" : `${rank(image, k)} of ${chosen.among.length}`]) {
      row.append(Object.assign(document.createElement("td"), { textContent: text }));
    }
    return row;
  }));
  for (const button of at("images").querySelectorAll("button")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.image) === image.id));
  }
}

function thumbnail(image) {
  const item = document.createElement("li");
  const button = Object.assign(document.createElement("button"), { type: "button" });
  button.dataset.image = image.id;
  const picture = Object.assign(document.createElement("img"), {
    src: `${folder()}/${image.id}.webp`, alt: image.caption || `image ${image.id}`, loading: "lazy", width: 128, height: 128,
  });
  const metric = data.metrics.findIndex((x) => x.name === form.elements.sort.value);
  const value = metric < 0 ? image[form.elements.sort.value] : scoresOf(image)[metric];
  const text = typeof value === "number" ? (Number.isInteger(value) ? String(value) : value.toFixed(3)) : "";
  button.append(picture, Object.assign(document.createElement("span"), { textContent: text }));
  button.addEventListener("click", () => show(image));
  item.append(button);
  return item;
}

function draw() {
  const images = chosen.among = shown();
  at("count").textContent = `${images.length} of ${data.seen[form.elements.subject.value].length} images${data.sampled ? ` (of ${data.sampled} in all, drawn at random)` : ""}`;
  at("images").replaceChildren(...images.map(thumbnail));
  const maps = data.maps[form.elements.subject.value] || {};
  at("maps").replaceChildren(...Object.entries(maps).map(([branch, map]) => {
    const figure = document.createElement("figure");
    figure.append(
      Object.assign(document.createElement("img"), { src: map.file, alt: map.caption, width: map.width, height: map.height }),
      Object.assign(document.createElement("figcaption"), { textContent: map.caption }));
    return figure;
  }));
  const again = images.find((x) => x.id === chosen.image) || images[0];
  if (again) show(again);
}

function methods() {
  const own = data.scores[form.elements.subject.value];
  fill("method", data.methods.filter((x) => own[x]).map((x) => [x, x]));
}

at("edge").addEventListener("input", (event) => {
  at("drawn").style.clipPath = `inset(0 0 0 ${100 - event.target.value}%)`;
});
fill("subject", Object.keys(data.scores).map((x) => [x, x]));
methods();
fill("sort", [["id", "number"], ["complexity", "complexity (edge density)"], ...data.metrics.map((x) => [x.name, x.label])]);
fill("group", [["", "all"], ...[...new Set(data.images.map((x) => x.group))].sort().map((x) => [x, x])]);
form.addEventListener("input", () => { methods(); draw(); });
form.addEventListener("submit", (event) => event.preventDefault());
draw();
