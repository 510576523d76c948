// --- lines -------------------------------------------------------------------------------------------------

function lineChart(curve) {
  return figure({ title: curve.title, note: curve.logarithmic ? "logarithmic" : "", draw: (svg, width, readout) => {
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
    listen(svg, {
      move: (dx) => show(at + dx),
      point: (x) => {
        const wanted = first + (x - left) / inner * span;
        show(steps.reduce((best, step, n) => (Math.abs(step - wanted) < Math.abs(steps[best] - wanted) ? n : best), 0));
      },
      leave: () => { cursor.setAttribute("visibility", "hidden"); readout.textContent = ""; },
    });
  } });
}
