// --- maps: a row a layer, a column a step or a power of two, the darker the larger --------------------------------

// What stands in the cells: "x" not finite, null not recorded, 0 exactly zero.
function decades(cells) {
  const found = cells.flat().filter((each) => typeof each === "number" && each > 0).map(Math.log10);
  if (!found.length) return [-1, 0];
  let low = Math.min(...found), high = Math.max(...found);
  // Three decades at least: layers that agree should look alike.
  const missing = Math.max(0, 3 - (high - low)) / 2;
  return [low - missing, high + missing];
}

function shades(cells) {
  const [low, high] = decades(cells);
  const strength = (value) => 0.1 + 0.9 * Math.max(0, Math.min(1, (Math.log10(value) - low) / (high - low)));
  return {
    strength,
    paint: (value) => ({ class: "cell", "fill-opacity": strength(value).toFixed(2) }),
    word: () => "",
    legend: (svg, x, y, width) => ramp(svg, x, y, Math.min(260, width), low, high, strength),
  };
}

// Between the limits of a band all is well; how far outside is told by the strength, and on which side by the colour
// and by the triangle.
function banded(cells, [low, high]) {
  const away = (value) => (value < low ? Math.log10(low / value) : value > high ? Math.log10(value / high) : 0);
  const strength = (value) => (away(value) ? Math.min(1, 0.45 + 0.2 * away(value)) : 0.35);
  const kind = (value) => (value < low ? "below" : value > high ? "above" : "within");
  return {
    strength,
    paint: (value) => ({ class: `cell ${kind(value)}`, "fill-opacity": strength(value).toFixed(2) }),
    mark: (value) => ({ below: "▾", above: "▴" }[kind(value)] || ""),
    word: (value) => ({ below: ", below the band", above: ", above the band", within: ", within the band" }[kind(value)]),
    swatches: [
      [{ class: "cell below", "fill-opacity": 0.75 }, `▾ below ${power(low)}`],
      [{ class: "cell within", "fill-opacity": 0.35 }, `${power(low)} to ${power(high)}`],
      [{ class: "cell above", "fill-opacity": 0.75 }, `▴ above ${power(high)}`],
    ],
  };
}

// Whether letters on a cell of this strength are read better in the colour of the paper than in that of the ink.
function needsPaper(strength) {
  return strength > (darkScheme.matches ? 0.55 : 0.75);
}

function power(value) {
  return value.toExponential(0).replace("e+", "e");
}

// A strip that darkens over the decades, with numbers below; says how wide it became.
function ramp(svg, x, y, width, low, high, strength) {
  const parts = 40, every = Math.max(1, Math.ceil((high - low) / Math.max(1, Math.floor(width / 44))));
  for (let n = 0; n < parts; n += 1) {
    const value = 10 ** (low + (n + 0.5) / parts * (high - low));
    svg.append(drawn("rect", { class: "cell", x: (x + n * width / parts).toFixed(2), y, width: (width / parts).toFixed(2), height: 9, "fill-opacity": strength(value).toFixed(2) }));
  }
  for (let decade = Math.ceil(low / every) * every; decade <= high; decade += every) {
    const at = x + (decade - low) / (high - low) * width;
    svg.append(drawn("line", { class: "axis base", x1: at, x2: at, y1: y + 9, y2: y + 13 }),
      drawn("text", { x: at, y: y + 23, "text-anchor": "middle" }, `1e${decade}`));
  }
  return width;
}

function swatches(svg, list, x, y, width) {
  let at = x, line = y;
  for (const [attributes, text] of list) {
    const wide = 34 + text.length * 6;
    if (at > x && at + wide > x + width) { at = x; line += 16; }
    svg.append(drawn("rect", { x: at, y: line, width: 14, height: 9, ...attributes }), drawn("text", { x: at + 19, y: line + 9 }, text));
    if (attributes.class === "cell-zero") svg.append(drawn("path", { class: "zero-bar", d: `M${at},${line + 9}l14,-9` }));
    at += wide;
  }
  return line + 14;
}

function special(cells) {
  const all = cells.flat();
  return [...(all.includes(0) ? [[{ class: "cell-zero" }, "exactly 0"]] : []), ...(all.includes("x") ? [[{ class: "cell-broken" }, "not finite"]] : [])];
}

function heatMap(map) {
  const notes = within(map.rows);
  if (map.rows.length < map.all_rows) notes.push(`${map.rows.length} of ${map.all_rows.toLocaleString("en")} rows`);
  if (map.steps.length < map.all_steps) notes.push(`${map.steps.length} of ${map.all_steps.toLocaleString("en")} steps`);
  if (map.broken !== null) notes.push(`not finite from step ${map.broken}`);
  const scale = map.band ? banded(map.cells, map.band) : shades(map.cells);
  return figure({ title: map.title, note: notes.join(", "), readings: map.reading ? [map.reading] : [], draw: (svg, width, readout) => {
    const tall = rowHeight(map.rows.length);
    const labels = rowLabels(svg, map.rows, width, tall);
    const wide = Math.min(120, (width - labels) / map.steps.length);
    const bottom = map.rows.length * tall;
    const gap = wide > 6 ? 1 : 0;
    const numbers = wide > 46 && map.rows.length <= 20;
    const inCell = (text, x, y, strong) => svg.append(drawn("text",
      { class: strong ? "in-cell strong" : "in-cell", x: (labels + (x + 0.5) * wide).toFixed(1), y: y * tall + tall / 2 + 3.5 }, text));
    map.cells.forEach((row, y) => row.forEach((value, x) => {
      if (value === null) return;
      const box = { x: (labels + x * wide).toFixed(2), y: y * tall, width: Math.max(0.5, wide - gap).toFixed(2), height: tall - 1 };
      if (value === "x") {
        // The first of its row is the news; what follows is drawn quieter.
        const later = row.indexOf("x") < x;
        svg.append(drawn("rect", { class: later ? "cell-broken later" : "cell-broken", ...box }));
        if (wide > 8 && !later) inCell("×", x, y, true);
      } else if (value === 0) {
        svg.append(drawn("rect", { class: "cell-zero", ...box }), drawn("path", { class: "zero-bar", d: `M${box.x},${box.y + box.height}l${box.width},-${box.height}` }));
      } else {
        svg.append(drawn("rect", { ...scale.paint(value), ...box }));
        const mark = scale.mark && wide > 9 ? scale.mark(value) : "";
        if (numbers) inCell(`${mark}${brief(value)}`, x, y, needsPaper(scale.strength(value)));
        else if (mark) inCell(mark, x, y, needsPaper(scale.strength(value)));
      }
    }));
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
    const start = width < 480 ? 8 : labels, room = width - start;
    let next = bottom + 28;
    if (scale.legend) { scale.legend(svg, start + 8, next, room - 40); next += 32; }
    const others = [...(scale.swatches || []), ...special(map.cells)];
    if (others.length) next = swatches(svg, others, start, next, room);
    svg.setAttribute("height", next + 4);

    const cursor = drawn("rect", { class: "cell-cursor", height: tall - 1, width: Math.max(2, wide - gap), visibility: "hidden" });
    svg.append(cursor);
    const beside = tip(svg, width);
    let column = map.steps.length - 1, row = 0;
    const show = (c, r) => {
      column = Math.max(0, Math.min(map.steps.length - 1, c));
      row = Math.max(0, Math.min(map.rows.length - 1, r));
      const value = map.cells[row][column];
      cursor.setAttribute("x", labels + column * wide); cursor.setAttribute("y", row * tall);
      cursor.setAttribute("visibility", "visible");
      const text = value === "x" ? "not finite" : value === null ? "not recorded" : value === 0 ? "exactly 0" : `${human(value)}${scale.word(value)}`;
      const step = map.steps[column].toLocaleString("en");
      readout.textContent = `${map.rows[row]}, step ${step}: ${text}`;
      beside.show([fitted(map.rows[row], Math.floor(width / LETTER) - 4), `step ${step}: ${text}`], labels + (column + 1) * wide, row * tall);
    };
    listen(svg, {
      move: (dx, dy) => show(column + dx, row + dy),
      point: (x, y) => { if (y <= bottom) show(Math.floor((x - labels) / wide), Math.floor(y / tall)); },
      leave: () => { cursor.setAttribute("visibility", "hidden"); beside.hide(); readout.textContent = ""; },
    });
  } });
}
