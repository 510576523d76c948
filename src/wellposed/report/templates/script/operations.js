// --- places become links to their line, where the source is in the page -------------------------------------

const anchors = new Map();
for (const line of document.querySelectorAll("[data-at]")) anchors.set(line.dataset.at, line.id);

function linked(text, place) {
  return anchors.has(place) ? element("a", { href: `#${anchors.get(place)}` }, text) : document.createTextNode(text);
}

for (const spot of document.querySelectorAll("[data-place]")) {
  const found = /^(.*?:\d+)(?=$|[ ,])/.exec(spot.textContent);
  if (found) spot.replaceChildren(linked(spot.textContent, found[1]));
}

// --- the table of operations --------------------------------------------------------------------------------

const WORDS = new Set([2, 3, 4, 5, 6, 7]);
const FIRST_ROWS = 150, MORE_ROWS = 500;

function operationsTable(part) {
  const { columns, rows, words, total, troubled } = part.operations;
  if (!rows.length) return element("p", { class: "empty" }, "No operator was recorded with statistics.");
  const guilty = new Set(troubled);
  const texts = rows.map((row) => [...WORDS].map((column) => words[row[column]]).join(" ").toLowerCase());
  const state = { sort: 0, down: false, limit: FIRST_ROWS, query: "", phase: "", bad: false };

  const search = element("input", { type: "search", placeholder: "Filter: operator, module, file:line …", "aria-label": "Filter operators" });
  const phase = element("select", { "aria-label": "Phase" }, element("option", { value: "" }, "all phases"),
    ...["forward", "backward", "optimizer"].map((each) => element("option", { value: each }, each)));
  const bad = element("input", { type: "checkbox" });
  const count = element("span", { role: "status", class: "empty" });
  const body = element("tbody");
  const more = element("button", { class: "more", type: "button" }, "Show more");
  const heads = columns.map((name, n) => {
    const head = element("th", { scope: "col", class: WORDS.has(n) ? "" : "right" }, element("button", { type: "button" }, name));
    head.firstChild.onclick = () => {
      state.down = state.sort === n ? !state.down : false;
      state.sort = n;
      fill();
    };
    return head;
  });

  function cell(row, n) {
    const value = WORDS.has(n) ? words[row[n]] : row[n];
    const made = element("td", { class: WORDS.has(n) ? "word" : "right" });
    if (n === 4) made.append(linked(value, value));
    else made.textContent = WORDS.has(n) ? value : human(value);
    if (value && value.length > 40) made.title = value;
    if ((n === 11 || n === 12) && value) made.classList.add("alarm");
    return made;
  }

  function compare(a, b) {
    const [x, y] = WORDS.has(state.sort) ? [words[a[state.sort]], words[b[state.sort]]] : [a[state.sort], b[state.sort]];
    // What is not known comes last either way.
    if (x === y) return a[0] - b[0];
    if (x === null || x === "") return 1;
    if (y === null || y === "") return -1;
    return (x < y ? -1 : 1) * (state.down ? -1 : 1);
  }

  function fill() {
    const wanted = state.query.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter((row, n) => wanted.every((word) => texts[n].includes(word))
      && (!state.phase || words[row[2]] === state.phase) && (!state.bad || row[11] || row[12]));
    found.sort(compare);
    body.replaceChildren(...found.slice(0, state.limit).map((row) => {
      const line = element("tr", guilty.has(row[0]) ? { class: "troubled" } : {});
      line.append(...columns.map((_, n) => cell(row, n)));
      return line;
    }));
    heads.forEach((head, n) => {
      if (n === state.sort) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    });
    const kept = rows.length < total ? ` of ${total.toLocaleString("en")} recorded; those around trouble are kept first` : "";
    count.textContent = found.length === rows.length ? `${rows.length.toLocaleString("en")} ${rows.length === 1 ? "operator" : "operators"}${kept}`
      : `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} operators`;
    more.hidden = found.length <= state.limit;
  }

  search.oninput = () => { state.query = search.value; state.limit = FIRST_ROWS; fill(); };
  phase.onchange = () => { state.phase = phase.value; state.limit = FIRST_ROWS; fill(); };
  bad.onchange = () => { state.bad = bad.checked; state.limit = FIRST_ROWS; fill(); };
  more.onclick = () => { state.limit += MORE_ROWS; fill(); };
  fill();
  return element("div", {},
    element("div", { class: "controls" }, search, phase, element("label", {}, bad, "only NaN and infinities"), count),
    element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": "Operators" },
      element("table", { class: "operations" }, element("thead", {}, element("tr", {}, ...heads)), body)),
    more);
}
