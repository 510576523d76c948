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
  return ticks.length < 2 && count < 16 ? linearTicks(low, high, count * 2) : ticks;
}

function verticalScale(values, logarithmic, height, count = 5) {
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
    const every = Math.max(1, Math.ceil((high - low) / count));
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
