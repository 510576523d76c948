// --- a figure that redraws itself when its width changes, with a readout for pointer and keyboard -----------------

const darkScheme = matchMedia("(prefers-color-scheme: dark)");

function figure({ title, note = "", readings = [], controls = null, draw }) {
  const caption = element("figcaption", {}, title);
  if (note) caption.append(" ", element("small", {}, note));
  const svg = drawn("svg", { role: "img", tabindex: "0", "aria-label": [title, ...readings, "Arrow keys read values."].join(". ").replaceAll("..", ".") });
  const readout = element("p", { class: "readout", "aria-live": "polite" });
  const told = readings.map((each) => element("p", { class: "reading" }, each));
  const box = element("figure", { class: "chart" }, caption, ...told, ...(controls ? [controls] : []), svg, readout);
  let width = 0;
  // Letters in cells are dark or light by what is below them, which the scheme turns round.
  darkScheme.addEventListener("change", () => { if (width) box.redraw(); });
  box.redraw = () => { svg.replaceChildren(); draw(svg, width, readout); };
  new ResizeObserver(() => {
    const now = Math.floor(box.clientWidth);
    if (now && now !== width) { width = now; box.redraw(); }
  }).observe(box);
  return box;
}

// `move(dx, dy)` for arrow keys, `point(x, y)` for a pointer, `leave()` when both are gone; says what `point` says.
function listen(svg, { move, point, leave }) {
  const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  svg.onkeydown = (event) => {
    if (!ways[event.key]) return;
    event.preventDefault();
    move(...ways[event.key]);
  };
  svg.onpointermove = svg.onpointerdown = (event) => {
    const bounds = svg.getBoundingClientRect();
    point(event.clientX - bounds.left, event.clientY - bounds.top);
  };
  svg.onpointerleave = leave;
  svg.onblur = leave;
}

// A label beside what is pointed at, inside the picture; `lines` are short.
function tip(svg, width) {
  const group = drawn("g", { class: "tip", visibility: "hidden", "aria-hidden": "true" });
  const back = drawn("rect", { rx: 3 });
  group.append(back);
  svg.append(group);
  return {
    show(lines, x, y) {
      group.replaceChildren(back);
      lines.forEach((line, n) => group.append(drawn("text", { x: 8, y: 16 + n * 15 }, line)));
      group.setAttribute("visibility", "visible");
      const texts = [...group.querySelectorAll("text")];
      const wide = Math.min(width, Math.max(...texts.map((each) => each.getComputedTextLength())) + 16), high = 8 + lines.length * 15;
      back.setAttribute("width", wide); back.setAttribute("height", high);
      const left = x + 12 + wide > width ? Math.max(0, x - 12 - wide) : x + 12;
      group.setAttribute("transform", `translate(${left.toFixed(1)},${Math.max(0, y - high - 6).toFixed(1)})`);
    },
    hide() { group.setAttribute("visibility", "hidden"); },
  };
}

// --- names of layers ------------------------------------------------------------------------------------------------

// The names without the first and last components that all of them share, and those first ones. The outermost module
// itself, which has no other components, keeps its name.
function withoutShared(names) {
  const parts = names.map((name) => name.split("."));
  const inner = parts.filter((each) => each.length > 1);
  const same = (at) => inner.every((each) => each.at(at) === inner[0].at(at));
  if (inner.length < 2 || parts.some((each) => each.length === 1 && each[0] !== inner[0][0])) return { brief: names, within: "" };
  const shortest = Math.min(...inner.map((each) => each.length));
  let first = 0, last = 0;
  while (first < shortest - 1 && same(first)) first += 1;
  while (last < shortest - 1 - first && same(-1 - last)) last += 1;
  const brief = parts.map((each) => (each.length === 1 ? each[0] : each.slice(first, each.length - last).join(".")));
  return { brief, within: inner[0].slice(0, first).join(".") };
}

// A name in so many letters. Of a path outer components are shortened to their first letter before anything is cut; of
// an operator and its place ("mm train.py:7 (2)") the middle goes.
function fitted(name, room) {
  if (name.length <= room) return name;
  const words = name.split(" ");
  if (words.length > 1) {
    const head = words[0].slice(0, Math.max(1, Math.floor(room / 2) - 2));
    return `${head} …${name.slice(-Math.max(2, room - head.length - 2))}`;
  }
  const parts = name.split("."), leaf = /^(weight|bias)$/.test(parts.at(-1)) ? parts.length - 1 : null;
  for (const n of [...parts.keys()].slice(0, -2).concat(leaf ?? [])) {
    if (parts.join(".").length <= room) break;
    if (!/^\d/.test(parts[n])) parts[n] = parts[n].slice(0, 1);
  }
  const brief = parts.join(".");
  return brief.length <= room ? brief : `…${brief.slice(-(Math.max(2, room) - 1))}`;
}

const LETTER = 6.5;

// Labels at the left of rows, right-aligned; says how wide they are.
function rowLabels(svg, names, width, tall, top = 0) {
  const { brief } = withoutShared(names);
  const wide = Math.min(Math.floor(width * 0.38), 14 + LETTER * Math.max(...brief.map((each) => each.length)));
  const every = Math.max(1, Math.ceil(11 / tall));
  brief.forEach((name, n) => {
    if (n % every) return;
    const label = drawn("text", { class: "row-label", x: wide - 8, y: top + n * tall + tall / 2 + 4, "text-anchor": "end" },
      fitted(name, Math.floor((wide - 12) / LETTER)));
    label.append(drawn("title", {}, names[n]));
    svg.append(label);
  });
  return wide;
}

// Where the names are, in words for the caption.
function within(names) {
  const found = withoutShared(names).within;
  return found ? [`in ${found}`] : [];
}

function rowHeight(rows) {
  return rows > 40 ? 12 : rows > 12 ? 15 : 20;
}
