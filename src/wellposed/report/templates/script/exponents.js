// --- exponents: which powers of two the gradients' elements have, beside what a format can hold -------------------

const LIMITS = [
  [-126, "float32’s, bfloat16’s smallest normal", "2⁻¹²⁶"],
  [-24, "float16’s smallest", "2⁻²⁴"],
  [-14, "smallest normal", "2⁻¹⁴"],
  [16, "largest (65,504)", "2¹⁶"],
];

function raised(exponent) {
  return `2${String(exponent).replace(/[-\d]/g, (each) => "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"["-0123456789".indexOf(each)])}`;
}

// From the lowest to the highest power of two to be drawn: the limits of float16 are always there.
function exponentRange(list) {
  const held = list.filter((each) => each.shares.length);
  const low = Math.min(-27, ...held.map((each) => each.lowest)) - 1;
  const high = Math.max(19, ...held.map((each) => each.lowest + each.shares.length)) + 1;
  return [low < -100 ? Math.min(low, -130) : low, high];
}

function exponentHistogram(part) {
  const controls = element("div", { class: "keys" });
  part.histograms.forEach((each, n) => controls.append(element("span", { class: `key ${SERIES[n]}` }, `${n ? "▬" : "■"} step ${each.step.toLocaleString("en")}`)));
  const [low, high] = exponentRange(part.histograms);
  const note = low > -126 ? "all parameters; float32 and bfloat16 go on to 2⁻¹²⁶, left of this" : "all parameters";
  return figure({ title: part.title, note, readings: part.readings, controls, draw: (svg, width, readout) => {
    const left = 40, right = 8, top = 46, height = 150, bottom = top + height;
    const zeroes = part.histograms.some((each) => each.zero > 0), zeroWide = zeroes ? 34 : 0;
    const start = left + zeroWide, wide = (width - start - right) / (high - low);
    const across = (exponent) => start + (exponent - low) * wide;
    // Exact zeros may be most of all; they are told in a number and leave the scale to the others.
    const most = Math.max(...part.histograms.flatMap((each) => each.shares), 0) || 1;
    const up = (share) => bottom - Math.min(1, share / most) * height;
    svg.setAttribute("height", bottom + 40);
    zones(svg, across, low, high, top, bottom);
    for (const tick of linearTicks(0, most, 4)) {
      svg.append(drawn("line", { class: "axis", x1: left, x2: width - right, y1: up(tick), y2: up(tick) }),
        drawn("text", { x: left - 6, y: up(tick) + 4, "text-anchor": "end" }, `${human(100 * tick)} %`));
    }
    part.histograms.forEach((each, n) => {
      const bars = [...each.shares.map((share, k) => [across(each.lowest + k), wide, share]), ...(zeroes ? [[left + 6, 18, each.zero]] : [])];
      for (const [x, w, share] of bars) {
        if (!share) continue;
        if (n === 0) svg.append(drawn("rect", { class: "bar first", x: x.toFixed(2), y: up(share).toFixed(1), width: Math.max(1, w - (w > 4 ? 1 : 0)).toFixed(2), height: (bottom - up(share)).toFixed(1) }));
        else svg.append(drawn("line", { class: "bar late", x1: x.toFixed(2), x2: (x + Math.max(2, w - (w > 4 ? 1 : 0))).toFixed(2), y1: up(share).toFixed(1), y2: up(share).toFixed(1) }));
      }
    });
    svg.append(drawn("line", { class: "axis base", x1: left, x2: width - right, y1: bottom, y2: bottom }));
    if (zeroes) {
      svg.append(drawn("text", { x: left + 15, y: bottom + 16, "text-anchor": "middle" }, "0"));
      part.histograms.forEach((each, n) => svg.append(drawn("text", { class: `zero-share ${SERIES[n]}`, x: left + 15, y: top - 20 + n * 13, "text-anchor": "middle" }, each.zero ? `${brief(100 * each.zero)} %` : "")));
    }
    const every = [1, 2, 4, 5, 8, 10, 16, 20, 32, 40].find((step) => step * wide >= 34) || 64;
    for (let exponent = Math.ceil((low + 1) / every) * every; exponent < high; exponent += every) {
      svg.append(drawn("text", { x: across(exponent), y: bottom + 16, "text-anchor": "middle" }, raised(exponent)));
    }
    svg.append(drawn("text", { x: (start + width - right) / 2, y: bottom + 34, "text-anchor": "middle" }, "magnitude of an element of a gradient"));
    const cursor = drawn("rect", { class: "cell-cursor", y: top, height, width: Math.max(2, wide), visibility: "hidden" });
    svg.append(cursor);
    const beside = tip(svg, width);
    let at = -14;
    const show = (exponent) => {
      at = Math.max(low, Math.min(high - 1, exponent));
      cursor.setAttribute("x", across(at)); cursor.setAttribute("visibility", "visible");
      const lines = part.histograms.map((each) => `step ${each.step}: ${human(100 * (each.shares[at - each.lowest] || 0))} %`);
      readout.textContent = `${raised(at)} to ${raised(at + 1)} (${fate(at)}); ${lines.join("; ")}`;
      beside.show([`${raised(at)} to ${raised(at + 1)}`, fate(at), ...lines], across(at + 1), top + 70);
    };
    listen(svg, {
      move: (dx) => show(at + dx),
      point: (x) => { if (x >= start) show(Math.floor(low + (x - start) / wide)); },
      leave: () => { cursor.setAttribute("visibility", "hidden"); beside.hide(); readout.textContent = ""; },
    });
  } });
}

function fate(exponent) {
  if (exponent <= -26) return "zero in float16";
  if (exponent < -14) return "subnormal in float16";
  return exponent >= 16 ? "too large for float16" : "normal in float16";
}

// What float16 makes of each stretch, named above it, with a line at each limit.
function zones(svg, across, low, high, top, bottom) {
  const edges = [[low, -25, "zero", "lost"], [-25, -14, "subnormal", "poor"], [-14, 16, "normal in float16", ""], [16, high, "too large", "lost"]];
  for (const [from, to, text, kind] of edges) {
    const x = across(from), wide = across(to) - x;
    if (kind) svg.append(drawn("rect", { class: `zone ${kind}`, x, y: top, width: Math.max(0, wide), height: bottom - top }));
    if (wide > text.length * 5.6 + 4) svg.append(drawn("text", { class: "zone-name", x: x + wide / 2, y: top - 6, "text-anchor": "middle" }, text));
  }
  let last = -99;
  for (const [exponent, text, brief] of LIMITS) {
    if (exponent <= low || exponent >= high) continue;
    const x = across(exponent), line = drawn("line", { class: "limit", x1: x, x2: x, y1: top - 22, y2: bottom });
    line.append(drawn("title", {}, `${text}, ${brief}`));
    svg.append(line);
    const words = 10 * (across(1) - across(0)) > 150 ? `${text} ${brief}` : brief;
    if (x - last > 27) svg.append(drawn("text", { class: "limit-name", x, y: top - 28, "text-anchor": "middle" }, words));
    last = x;
  }
}

function exponentMap(map) {
  const notes = ["share of each one's elements", ...within(map.rows)];
  if (map.rows.length < map.all_rows) notes.push(`${map.rows.length} of ${map.all_rows.toLocaleString("en")} parameters`);
  return figure({ title: map.title, note: notes.join(", "), draw: (svg, width, readout) => {
    const top = 20, tall = rowHeight(map.rows.length), bottom = top + map.rows.length * tall;
    const labels = rowLabels(svg, map.rows, width, tall, top);
    const [low, high] = exponentRange([{ lowest: map.lowest, shares: map.cells[0] }]);
    const zeroes = map.zero.some((each) => each > 0), start = labels + (zeroes ? 20 : 0);
    const wide = (width - start - 8) / (high - low), across = (exponent) => start + (exponent - low) * wide;
    const most = Math.max(0.01, ...map.cells.flat());
    const strength = (share) => (0.1 + 0.9 * Math.sqrt(Math.min(1, share / most))).toFixed(2);
    svg.setAttribute("height", bottom + 54);
    map.cells.forEach((row, y) => {
      row.forEach((share, k) => {
        if (share) svg.append(drawn("rect", { class: "cell", "fill-opacity": strength(share), x: across(map.lowest + k).toFixed(2), y: top + y * tall, width: Math.max(0.5, wide - (wide > 6 ? 1 : 0)).toFixed(2), height: tall - 1 }));
      });
      if (map.zero[y]) {
        const at = { x: labels + 2, y: top + y * tall, width: 13, height: tall - 1 };
        svg.append(drawn("rect", { class: "cell", "fill-opacity": strength(map.zero[y]), ...at }), drawn("rect", { class: "frame", ...at }));
      }
    });
    for (const [exponent, text, brief] of LIMITS) {
      if (exponent <= low || exponent >= high) continue;
      const line = drawn("line", { class: "limit", x1: across(exponent), x2: across(exponent), y1: top - 4, y2: bottom });
      line.append(drawn("title", {}, text));
      svg.append(line, drawn("text", { class: "limit-name", x: across(exponent), y: top - 8, "text-anchor": "middle" }, brief));
    }
    if (zeroes) svg.append(drawn("text", { x: labels + 8, y: bottom + 14, "text-anchor": "middle" }, "0"));
    const every = [2, 4, 5, 8, 10, 16, 20, 32, 40].find((step) => step * wide >= 34) || 64;
    for (let exponent = Math.ceil((low + 1) / every) * every; exponent < high; exponent += every) {
      svg.append(drawn("text", { x: across(exponent), y: bottom + 14, "text-anchor": "middle" }, raised(exponent)));
    }
    swatches(svg, [0.1, 0.4, 1].map((part) => [{ class: "cell", "fill-opacity": strength(part * most) }, `${human(Number((100 * part * most).toPrecision(2)))} %`]), width < 480 ? 8 : labels, bottom + 32, width);
    const cursor = drawn("rect", { class: "cell-cursor", height: tall - 1, width: Math.max(2, wide), visibility: "hidden" });
    svg.append(cursor);
    const beside = tip(svg, width);
    let column = -14, row = 0;
    const show = (exponent, r) => {
      column = Math.max(low, Math.min(high - 1, exponent)); row = Math.max(0, Math.min(map.rows.length - 1, r));
      cursor.setAttribute("x", across(column)); cursor.setAttribute("y", top + row * tall); cursor.setAttribute("visibility", "visible");
      const share = `${human(100 * (map.cells[row][column - map.lowest] || 0))} % from ${raised(column)} to ${raised(column + 1)}`;
      const zero = map.zero[row] ? `; ${human(100 * map.zero[row])} % exactly 0` : "";
      readout.textContent = `${map.rows[row]}: ${share} (${fate(column)})${zero}`;
      beside.show([fitted(map.rows[row], Math.floor(width / LETTER) - 4), share, fate(column)], across(column + 1), top + row * tall);
    };
    listen(svg, {
      move: (dx, dy) => show(column + dx, row + dy),
      point: (x, y) => { if (y <= bottom) show(Math.floor(low + (x - start) / wide), Math.floor((y - top) / tall)); },
      leave: () => { cursor.setAttribute("visibility", "hidden"); beside.hide(); readout.textContent = ""; },
    });
  } });
}
