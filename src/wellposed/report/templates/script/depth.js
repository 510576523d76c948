// --- the signal over depth: layers downwards, size to the right on a logarithmic scale ----------------------------

const QUANTITIES = [["rms", "rms"], ["deviation", "standard deviation"], ["mean", "|mean|"]];
const SERIES = ["first", "late"];

function depthFigure(part) {
  let chosen = "rms";
  const notes = [part.direction === "forward" ? "logarithmic; the signal runs downwards" : "logarithmic; the gradient runs upwards", ...within(part.rows)];
  if (part.rows.length < part.all_rows) notes.push(`${part.rows.length} of ${part.all_rows.toLocaleString("en")} layers`);
  const controls = element("div", { class: "keys" });
  part.profiles.forEach((profile, n) => controls.append(element("span", { class: `key ${SERIES[n]}` }, `${n ? "◆" : "●"} step ${profile.step.toLocaleString("en")}`)));
  if (part.profiles.some((each) => each.fitted.some((value) => value !== null))) controls.append(element("span", { class: "key" }, "╌ one factor per layer"));
  const choice = element("select", { "aria-label": `Quantity of: ${part.title}` }, ...QUANTITIES.map(([value, text]) => element("option", { value }, text)));
  controls.append(choice);
  const box = figure({ title: part.title, note: notes.join(", "), readings: part.readings, controls, draw: (svg, width, readout) => drawDepth(part, chosen, svg, width, readout) });
  choice.onchange = () => { chosen = choice.value; box.redraw(); };
  return box;
}

function sizes(profile, quantity) {
  return quantity === "mean" ? profile.mean.map((each) => (each === null ? null : Math.abs(each))) : profile[quantity];
}

function drawDepth(part, quantity, svg, width, readout) {
  const top = 6, tall = rowHeight(part.rows.length), bottom = top + part.rows.length * tall;
  const labels = rowLabels(svg, part.rows, width, tall, top);
  const left = labels + 6, right = 14, inner = width - left - right;
  svg.setAttribute("height", bottom + 24);
  const all = part.profiles.flatMap((profile) => [...sizes(profile, quantity), ...(quantity === "rms" ? profile.fitted : [])]).filter((each) => typeof each === "number");
  const scale = verticalScale(all, true, inner, Math.max(2, Math.floor(inner / 60)));
  // The scale counts downwards from its height; here it runs to the right.
  const across = (value) => left + inner - scale.place(value);
  const middle = (row) => top + row * tall + tall / 2;
  for (const [value, text] of scale.ticks) {
    const x = across(value);
    svg.append(drawn("line", { class: "axis", x1: x, x2: x, y1: top, y2: bottom }), drawn("text", { x, y: bottom + 16, "text-anchor": "middle" }, text));
  }
  svg.append(drawn("line", { class: "axis base", x1: left, x2: left, y1: top, y2: bottom }));
  const band = drawn("rect", { class: "row-cursor", x: 0, width, height: tall, visibility: "hidden" });
  svg.append(band);
  part.profiles.forEach((profile, n) => {
    if (quantity === "rms") svg.append(drawn("path", { class: `fit ${SERIES[n]}`, d: track(profile.fitted, across, middle, true) }));
    const values = sizes(profile, quantity);
    svg.append(drawn("path", { class: `profile ${SERIES[n]}`, d: track(values, across, middle, false) }));
    values.forEach((value, row) => {
      const y = middle(row);
      if (value === "x") svg.append(drawn("text", { class: "broken-text", x: left + inner + 2, y: y + 4, "text-anchor": "middle" }, "×"));
      else if (value === 0) svg.append(drawn("text", { class: "nothing", x: left + 3, y: y + 4 }, "0"));
      else if (value > 0) svg.append(point(n, across(value), y, tall > 12 ? 3.2 : 2.4));
    });
  });
  const beside = tip(svg, width);
  let at = 0;
  const show = (row) => {
    at = Math.max(0, Math.min(part.rows.length - 1, row));
    band.setAttribute("y", top + at * tall); band.setAttribute("visibility", "visible");
    const lines = part.profiles.map((profile) => `step ${profile.step}: rms ${sized(profile.rms[at])}, mean ${sized(profile.mean[at])}, std ${sized(profile.deviation[at])}`);
    readout.textContent = `${part.rows[at]}; ${lines.join("; ")}`;
    beside.show([fitted(part.rows[at], Math.floor(width / LETTER) - 4), ...lines], left, top + at * tall);
  };
  listen(svg, {
    move: (dx, dy) => show(at + dx + dy),
    point: (x, y) => { if (y <= bottom) show(Math.floor((y - top) / tall)); },
    leave: () => { band.setAttribute("visibility", "hidden"); beside.hide(); readout.textContent = ""; },
  });
}

function sized(value) {
  return value === "x" ? "not finite" : human(value);
}

function track(values, across, middle, bridged) {
  let path = "", open = false;
  values.forEach((value, row) => {
    if (typeof value !== "number" || value <= 0) { open = open && bridged; return; }
    path += `${open ? "L" : "M"}${across(value).toFixed(1)},${middle(row)}`;
    open = true;
  });
  return path;
}

function point(n, x, y, size) {
  if (n === 0) return drawn("circle", { class: "point first", cx: x.toFixed(1), cy: y, r: size });
  return drawn("path", { class: "point late", d: `M${x.toFixed(1)},${y - size - 1}l${size + 1},${size + 1}l${-size - 1},${size + 1}l${-size - 1},${-size - 1}z` });
}
