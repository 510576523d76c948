// --- put it all in place ------------------------------------------------------------------------------------------

function section(id, part, figures) {
  const place = document.getElementById(id);
  if (!place || !figures.length) return;
  if (part.title) place.append(element("h3", {}, part.title));
  place.append(...figures);
}

for (const part of parts) {
  const curves = part.lines.length || part.maps.length
    ? [element("div", { class: "lines" }, ...part.lines.map(lineChart)), ...part.maps.map(heatMap)]
    : [element("p", { class: "empty" }, "No step was recorded.")];
  section("charts", part, curves);
  section("depths", part, part.depth.length ? [element("div", { class: "lines" }, ...part.depth.map(depthFigure))] : []);
  section("spreads", part, part.exponents ? [exponentHistogram(part.exponents), ...(part.exponents.map ? [exponentMap(part.exponents.map)] : [])] : []);
  section("tables", part, [operationsTable(part)]);
}
