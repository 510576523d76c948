"use strict";
(() => {
  const parts = JSON.parse(document.getElementById("data").textContent);
  const SVG = "http://www.w3.org/2000/svg";

  // --- small helpers: text always goes in as text, never as markup -------------------------------------------

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function drawn(name, attributes = {}, text = null) {
    const made = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== null) made.textContent = text;
    return made;
  }

  function human(value) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    if (Number.isInteger(value) && size < 1e6) return value.toLocaleString("en");
    if (size >= 1e-3 && size < 1e5) return String(Number(value.toPrecision(4)));
    return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  }

  function brief(value) {
    return human(Number(value.toPrecision(2)));
  }

  // --- scales ------------------------------------------------------------------------------------------------

  function niceStep(span, count) {
    const rough = span / Math.max(1, count);
    const unit = 10 ** Math.floor(Math.log10(rough));
    return unit * ([1, 2, 5, 10].find((each) => each * unit >= rough) || 10);
  }

  function linearTicks(low, high, count) {
    const step = niceStep(high - low, count);
    const ticks = [];
    for (let tick = Math.ceil(low / step); tick <= high / step + 1e-9; tick += 1) ticks.push(Number((tick * step).toPrecision(12)));
    return ticks;
  }

  function verticalScale(values, logarithmic, height) {
    const usable = values.filter((each) => each !== null && (!logarithmic || each > 0));
    const mapped = logarithmic ? usable.map(Math.log10) : usable;
    let low = Math.min(...mapped), high = Math.max(...mapped);
    if (!usable.length) { low = 0; high = 1; }
    if (logarithmic) {
      // Two decades at least, so that a steady curve looks steady.
      const missing = Math.max(0, 2 - (high - low)) / 2;
      low = Math.floor(low - missing); high = Math.ceil(high + missing);
    } else if (high - low < Math.abs(high) * 1e-3 || high === low) {
      const margin = Math.abs(high) * 0.05 || 1;
      low -= margin; high += margin;
    } else {
      const margin = (high - low) * 0.06;
      low -= margin; high += margin;
    }
    const place = (value) => height - ((logarithmic ? Math.log10(value) : value) - low) / (high - low) * height;
    let ticks;
    if (logarithmic) {
      const every = Math.max(1, Math.ceil((high - low) / 5));
      ticks = [];
      for (let decade = Math.ceil(low); decade <= high; decade += every) ticks.push([10 ** decade, `1e${decade}`]);
    } else {
      ticks = linearTicks(low, high, 4).map((tick) => [tick, human(tick)]);
    }
    return { place: (value) => (value === null || (logarithmic && value <= 0) ? null : place(value)), ticks };
  }

  function horizontalTicks(steps, width) {
    const low = steps[0], high = steps[steps.length - 1];
    if (low === high) return [low];
    const step = Math.max(1, Math.round(niceStep(high - low, Math.max(2, Math.min(8, width / 70)))));
    const ticks = [];
    for (let tick = Math.ceil(low / step) * step; tick <= high; tick += step) ticks.push(tick);
    return ticks;
  }

  // --- a figure that redraws itself when its width changes, with a readout for pointer and keyboard ----------

  function figure(title, note, draw) {
    const caption = element("figcaption", {}, title);
    if (note) caption.append(" ", element("small", {}, note));
    const svg = drawn("svg", { role: "img", tabindex: "0", "aria-label": `${title}. Arrow keys read values.` });
    const readout = element("p", { class: "readout", "aria-live": "polite" });
    const box = element("figure", { class: "chart" }, caption, svg, readout);
    let width = 0;
    new ResizeObserver(() => {
      const now = Math.floor(box.clientWidth);
      if (now && now !== width) { width = now; svg.replaceChildren(); draw(svg, width, readout); }
    }).observe(box);
    return box;
  }

  function onKeys(svg, move) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    svg.onkeydown = (event) => {
      if (!ways[event.key]) return;
      event.preventDefault();
      move(...ways[event.key]);
    };
  }

  // --- lines -------------------------------------------------------------------------------------------------

  function lineChart(curve) {
    return figure(curve.title, curve.logarithmic ? "logarithmic" : "", (svg, width, readout) => {
      const left = 54, right = 10, top = 8, height = 150;
      const inner = width - left - right;
      const { steps, values } = curve;
      svg.setAttribute("height", height + top + 24);
      const scale = verticalScale(values, curve.logarithmic, height);
      const [first, last] = curve.range, span = Math.max(1, last - first);
      const across = (step) => left + (first === last ? inner / 2 : (step - first) / span * inner);
      for (const [value, text] of scale.ticks) {
        const y = top + scale.place(value);
        svg.append(drawn("line", { class: "axis", x1: left, x2: width - right, y1: y, y2: y }),
          drawn("text", { x: left - 8, y: y + 4, "text-anchor": "end" }, text));
      }
      svg.append(drawn("line", { class: "axis base", x1: left, x2: width - right, y1: top + height, y2: top + height }));
      for (const tick of horizontalTicks(curve.range, inner)) {
        svg.append(drawn("text", { x: across(tick), y: top + height + 18, "text-anchor": "middle" }, tick.toLocaleString("en")));
      }
      if (curve.broken !== null) {
        const x = across(curve.broken), late = x > left + inner / 2;
        svg.append(drawn("rect", { class: "broken-band", x, y: top, width: Math.max(0, width - right - x), height }),
          drawn("line", { class: "broken", x1: x, x2: x, y1: top, y2: top + height }),
          drawn("text", { class: "broken-text", x: x + (late ? -6 : 6), y: top + 12, "text-anchor": late ? "end" : "start" },
            `${curve.broken_text} from step ${curve.broken}`));
      }
      let path = "", open = false, alone = null;
      const dots = [];
      steps.forEach((step, n) => {
        const y = scale.place(values[n]);
        if (y === null) { if (alone) dots.push(alone); open = false; alone = null; return; }
        const point = [across(step).toFixed(1), (top + y).toFixed(1)];
        path += `${open ? "L" : "M"}${point}`;
        alone = open ? null : point;
        open = true;
      });
      if (alone) dots.push(alone);
      svg.append(drawn("path", { class: "curve", d: path }));
      for (const [cx, cy] of dots) svg.append(drawn("circle", { class: "dot", cx, cy, r: 2.5 }));

      const cursor = drawn("line", { class: "cursor", y1: top, y2: top + height, visibility: "hidden" });
      svg.append(cursor);
      let at = steps.length - 1;
      const show = (n) => {
        at = Math.max(0, Math.min(steps.length - 1, n));
        const x = across(steps[at]);
        cursor.setAttribute("x1", x); cursor.setAttribute("x2", x); cursor.setAttribute("visibility", "visible");
        readout.textContent = `step ${steps[at].toLocaleString("en")}: ${values[at] === null ? "not finite" : human(values[at])}`;
      };
      svg.onpointermove = (event) => {
        const wanted = first + (event.clientX - svg.getBoundingClientRect().left - left) / inner * span;
        show(steps.reduce((best, step, n) => (Math.abs(step - wanted) < Math.abs(steps[best] - wanted) ? n : best), 0));
      };
      svg.onpointerleave = () => { cursor.setAttribute("visibility", "hidden"); readout.textContent = ""; };
      onKeys(svg, (dx) => show(at + dx));
    });
  }

  // --- maps: a row a layer, a column a step, the darker the larger -------------------------------------------

  function mapRange(cells) {
    const decades = cells.flat().filter((each) => typeof each === "number" && each > 0).map(Math.log10);
    if (!decades.length) return [-1, 0];
    let low = Math.min(...decades), high = Math.max(...decades);
    // Three decades at least: layers that agree should look alike.
    const missing = Math.max(0, 3 - (high - low)) / 2;
    return [low - missing, high + missing];
  }

  function heatMap(map) {
    const notes = [];
    if (map.rows.length < map.all_rows) notes.push(`${map.rows.length} of ${map.all_rows.toLocaleString("en")} rows`);
    if (map.steps.length < map.all_steps) notes.push(`${map.steps.length} of ${map.all_steps.toLocaleString("en")} steps`);
    if (map.broken !== null) notes.push(`not finite from step ${map.broken}`);
    const [low, high] = mapRange(map.cells);
    const strength = (value) => 0.08 + 0.92 * Math.max(0, Math.min(1, (Math.log10(value) - low) / (high - low)));
    return figure(map.title, notes.join(", "), (svg, width, readout) => {
      const labels = Math.min(Math.floor(width * 0.38), 14 + 6.5 * Math.max(...map.rows.map((row) => row.length)));
      const tall = map.rows.length > 40 ? 12 : map.rows.length > 12 ? 15 : 20;
      const wide = Math.min(120, (width - labels) / map.steps.length);
      const bottom = map.rows.length * tall;
      const gap = wide > 6 ? 1 : 0;
      svg.setAttribute("height", bottom + 44);
      map.rows.forEach((row, y) => {
        const room = Math.floor((labels - 12) / 6.5);
        const label = drawn("text", { class: "row-label", x: labels - 8, y: y * tall + tall / 2 + 4, "text-anchor": "end" },
          row.length > room ? `…${row.slice(-(room - 1))}` : row);
        label.append(drawn("title", {}, row));
        svg.append(label);
        map.cells[y].forEach((value, x) => {
          if (value === null) return;
          const box = { x: (labels + x * wide).toFixed(2), y: y * tall, width: Math.max(0.5, wide - gap).toFixed(2), height: tall - 1 };
          if (value === "x") {
            // The first of its row is the news; what follows is drawn quieter.
            const later = map.cells[y].slice(0, x).includes("x");
            svg.append(drawn("rect", { class: later ? "cell-broken later" : "cell-broken", ...box }));
          }
          else if (value === 0) svg.append(drawn("rect", { class: "cell-zero", ...box }));
          else svg.append(drawn("rect", { class: "cell", "fill-opacity": strength(value).toFixed(3), ...box }));
          if (wide > 46 && map.rows.length <= 20 && typeof value === "number") {
            const strong = value > 0 && strength(value) > 0.55;
            svg.append(drawn("text", { class: strong ? "in-cell strong" : "in-cell", x: labels + (x + 0.5) * wide, y: y * tall + tall / 2 + 3.5 }, brief(value)));
          }
        });
      });
      const latest = map.steps[map.steps.length - 1];
      const regular = latest - map.steps[0] === map.steps.length - 1;
      const wanted = new Set(regular ? horizontalTicks(map.steps, width - labels) : map.steps);
      let last = -99;
      map.steps.forEach((step, x) => {
        const at = labels + (x + 0.5) * wide;
        if (wanted.has(step) && at - last > 34) {
          svg.append(drawn("text", { x: at, y: bottom + 14, "text-anchor": "middle" }, step.toLocaleString("en")));
          last = at;
        }
      });
      let x = labels;
      const swatch = (attributes, text) => {
        svg.append(drawn("rect", { x, y: bottom + 27, width: 14, height: 10, ...attributes }),
          drawn("text", { x: x + 18, y: bottom + 36 }, text));
        x += 30 + text.length * 6;
      };
      for (const part of [0, 0.5, 1]) {
        const value = 10 ** (low + part * (high - low));
        swatch({ class: "cell", "fill-opacity": strength(value).toFixed(3) }, value.toExponential(0).replace("e+", "e"));
      }
      const all = map.cells.flat();
      if (all.includes(0)) swatch({ class: "cell-zero" }, "0");
      if (all.includes("x")) swatch({ class: "cell-broken" }, "not finite");

      const cursor = drawn("rect", { class: "cell-cursor", height: tall - 1, width: Math.max(2, wide - gap), visibility: "hidden" });
      svg.append(cursor);
      let column = map.steps.length - 1, row = 0;
      const show = (c, r) => {
        column = Math.max(0, Math.min(map.steps.length - 1, c));
        row = Math.max(0, Math.min(map.rows.length - 1, r));
        const value = map.cells[row][column];
        cursor.setAttribute("x", labels + column * wide); cursor.setAttribute("y", row * tall);
        cursor.setAttribute("visibility", "visible");
        const text = value === "x" ? "not finite" : value === null ? "not recorded" : human(value);
        readout.textContent = `${map.rows[row]}, step ${map.steps[column].toLocaleString("en")}: ${text}`;
      };
      svg.onpointermove = (event) => {
        const bounds = svg.getBoundingClientRect();
        show(Math.floor((event.clientX - bounds.left - labels) / wide), Math.floor((event.clientY - bounds.top) / tall));
      };
      svg.onpointerleave = () => { cursor.setAttribute("visibility", "hidden"); readout.textContent = ""; };
      onKeys(svg, (dx, dy) => show(column + dx, row + dy));
    });
  }

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

  // --- put it all in place ------------------------------------------------------------------------------------

  const charts = document.getElementById("charts"), tables = document.getElementById("tables");
  for (const part of parts) {
    if (part.title) {
      charts.append(element("h3", {}, part.title));
      tables.append(element("h3", {}, part.title));
    }
    if (!part.lines.length && !part.maps.length) charts.append(element("p", { class: "empty" }, "No step was recorded."));
    charts.append(element("div", { class: "lines" }, ...part.lines.map(lineChart)));
    charts.append(...part.maps.map(heatMap));
    tables.append(operationsTable(part));
  }
})();
