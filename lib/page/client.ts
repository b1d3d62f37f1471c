/** Draws `data.figures` (report.ts) in the browser: curves by uPlot, contours on a canvas. */
export const client = String.raw`
const dark = matchMedia('(prefers-color-scheme: dark)');
const colorOf = (index) => 'hsl(' + ((215 + 137.508 * index) % 360) + ' 70% ' + (dark.matches ? 66 : 42) + '%)';
const variable = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const add = (parent, tag, properties) => parent.appendChild(Object.assign(document.createElement(tag), properties));
const short = (value) => value === null || value === undefined ? '' : String(Number(value.toPrecision(4)));

function lines(figure, place) {
  add(place, 'figcaption', { textContent: figure.title });
  const axis = (label) => ({ label, stroke: variable('--quiet'), grid: { stroke: variable('--line'), width: 1 }, ticks: { stroke: variable('--line') } });
  // Twelve decades are enough to see, and what is far below them is rounding.
  const highest = figure.series.flatMap(({ y }) => y).reduce((a, b) => (b > a ? b : a), 0);
  const shown = (y) => (figure.isLogarithmic && !(y > highest * 1e-12) ? null : y);
  const wholeDecades = (_, splits) => {
    const decades = splits.filter((v) => Math.abs(Math.log10(v) - Math.round(Math.log10(v))) < 1e-6);
    const every = Math.ceil(decades.length / 8);
    return splits.map((v) => (decades.includes(v) && Math.round(Math.log10(v)) % every === 0 ? v : null));
  };
  const filter = figure.isLogarithmic ? { filter: wholeDecades } : {};
  new uPlot(
    {
      width: place.clientWidth,
      height: Math.min(380, Math.max(240, place.clientWidth * 0.6)),
      scales: { x: { time: false }, y: figure.isLogarithmic ? { distr: 3 } : {} },
      axes: [axis(figure.xLabel), { ...axis(figure.yLabel), ...filter, grid: { stroke: variable('--line'), width: 1, ...filter }, ticks: { stroke: variable('--line'), ...filter }, size: 70, values: (_, all) => all.map((v) => (v === null ? '' : figure.isLogarithmic ? v.toExponential(0) : short(v))) }],
      series: [
        { label: figure.xLabel, value: (_, v) => short(v) },
        ...figure.series.map(({ label, color }) => ({ label, stroke: colorOf(color), width: 1.5, points: { show: false }, value: (_, v) => short(v) })),
      ],
    },
    [figure.x, ...figure.series.map(({ y }) => y.map(shown))],
    place,
  );
}

/** What the loss is between the grid's points. */
function sample(values, u, v) {
  const i = Math.min(values[0].length - 2, Math.floor(u));
  const j = Math.min(values.length - 2, Math.floor(v));
  const [a, b] = [u - i, v - j];
  const [p, q, r, s] = [values[j][i], values[j][i + 1], values[j + 1][i], values[j + 1][i + 1]];
  if (p === null || q === null || r === null || s === null) return null;
  return (p * (1 - a) + q * a) * (1 - b) + (r * (1 - a) + s * a) * b;
}

function contours(figure, place) {
  add(place, 'figcaption', { textContent: figure.title });
  const canvas = add(place, 'canvas', {});
  canvas.setAttribute('role', 'img');
  canvas.setAttribute('aria-label', figure.title);
  const read = add(place, 'div', { className: 'read' });
  const key = add(place, 'div', { className: 'key' });
  for (const { label, color } of figure.paths) {
    const item = add(key, 'span', {});
    add(item, 'i', {}).style.background = colorOf(color);
    item.append(label);
  }
  const finite = figure.values.flat().filter((value) => value !== null).sort((a, b) => a - b);
  const [least, most] = [finite[0], finite[finite.length - 1]];
  // Distances from the least value span orders of magnitude: bands are even in their logarithm.
  const floor = Math.max((most - least) * 1e-4, Number.MIN_VALUE);
  const height = (value) => Math.log((value - least + floor) / floor) / Math.log((most - least + floor) / floor || 2);
  const BANDS = 18;
  const width = place.clientWidth;
  const tall = Math.round(Math.min(520, width * 0.75));
  const [left, bottom, top, right] = [52, 40, 8, 12];
  const ratio = window.devicePixelRatio || 1;
  canvas.width = width * ratio;
  canvas.height = tall * ratio;
  canvas.style.height = tall + 'px';
  const context = canvas.getContext('2d');
  const [w, h] = [width - left - right, tall - top - bottom];
  const [x0, x1] = [figure.x[0], figure.x[figure.x.length - 1]];
  const [y0, y1] = [figure.y[0], figure.y[figure.y.length - 1]];
  const toX = (x) => left + ((x - x0) / (x1 - x0)) * w;
  const toY = (y) => top + h - ((y - y0) / (y1 - y0)) * h;
  const valueAt = (px, py) => sample(figure.values, ((px - left) / w) * (figure.x.length - 1), ((top + h - py) / h) * (figure.y.length - 1));

  const [pw, ph] = [Math.round(w * ratio), Math.round(h * ratio)];
  const image = context.createImageData(pw, ph);
  const bands = new Int16Array(pw * ph);
  for (let j = 0; j < ph; j++)
    for (let i = 0; i < pw; i++) {
      const value = valueAt(left + (i + 0.5) / ratio, top + (j + 0.5) / ratio);
      bands[j * pw + i] = value === null ? -1 : Math.min(BANDS - 1, Math.floor(BANDS * height(value)));
    }
  for (let j = 0; j < ph; j++)
    for (let i = 0; i < pw; i++) {
      const at = j * pw + i;
      const band = bands[at];
      const edge = (i + 1 < pw && bands[at + 1] !== band) || (j + 1 < ph && bands[at + pw] !== band);
      const share = band < 0 ? 1 : band / (BANDS - 1);
      const base = dark.matches ? [30 + 70 * share, 38 + 70 * share, 52 + 72 * share] : [188 + 62 * share, 202 + 49 * share, 226 + 27 * share];
      const shade = edge ? (dark.matches ? 28 : -34) : 0;
      image.data.set([base[0] + shade, base[1] + shade, base[2] + shade, 255], 4 * at);
    }
  context.putImageData(image, Math.round(left * ratio), Math.round(top * ratio));
  context.scale(ratio, ratio);
  context.font = '12px system-ui, sans-serif';
  context.fillStyle = variable('--quiet');
  context.strokeStyle = variable('--line');
  context.textAlign = 'center';
  const ticks = (from, to, count) => {
    const raw = (to - from) / count;
    const unit = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 5, 10].map((m) => m * unit).find((s) => s >= raw);
    return Array.from({ length: Math.floor(to / step) - Math.ceil(from / step) + 1 }, (_, i) => (Math.ceil(from / step) + i) * step);
  };
  for (const x of ticks(x0, x1, Math.max(3, w / 90))) context.fillText(short(x), toX(x), top + h + 16);
  context.fillText(figure.xLabel, left + w / 2, top + h + 34);
  context.textAlign = 'right';
  for (const y of ticks(y0, y1, Math.max(3, h / 70))) context.fillText(short(y), left - 6, toY(y) + 4);
  context.save();
  context.translate(12, top + h / 2);
  context.rotate(-Math.PI / 2);
  context.textAlign = 'center';
  context.fillText(figure.yLabel, 0, 0);
  context.restore();

  context.save();
  context.beginPath();
  context.rect(left, top, w, h);
  context.clip();
  context.lineWidth = 1.6;
  context.lineJoin = 'round';
  for (const { points, color } of figure.paths) {
    context.strokeStyle = context.fillStyle = colorOf(color);
    context.beginPath();
    points.forEach(([x, y], i) => (i === 0 ? context.moveTo(toX(x), toY(y)) : context.lineTo(toX(x), toY(y))));
    context.stroke();
    const end = points[points.length - 1];
    context.beginPath();
    context.arc(toX(end[0]), toY(end[1]), 4, 0, 7);
    context.fill();
  }
  context.strokeStyle = context.fillStyle = variable('--ink');
  context.textAlign = 'left';
  for (const { label, point } of figure.marks) {
    const [x, y] = [toX(point[0]), toY(point[1])];
    context.beginPath();
    context.moveTo(x - 5, y - 5);
    context.lineTo(x + 5, y + 5);
    context.moveTo(x + 5, y - 5);
    context.lineTo(x - 5, y + 5);
    context.stroke();
    const room = context.measureText(label).width + 10;
    context.fillText(label, x + room > left + w ? x - room : x + 8, y - 7);
  }
  context.restore();
  canvas.onpointermove = (event) => {
    const box = canvas.getBoundingClientRect();
    const [px, py] = [event.clientX - box.left, event.clientY - box.top];
    const inside = px >= left && px <= left + w && py >= top && py <= top + h;
    const value = inside ? valueAt(px, py) : null;
    read.textContent = value === null ? '' : 'loss ' + short(value) + ' at (' + short(x0 + ((px - left) / w) * (x1 - x0)) + ', ' + short(y0 + ((top + h - py) / h) * (y1 - y0)) + ')';
  };
}

function draw() {
  for (const place of document.querySelectorAll('[data-figure]')) {
    const figure = data.figures[Number(place.dataset.figure)];
    place.replaceChildren();
    (figure.kind === 'lines' ? lines : contours)(figure, place);
  }
}
draw();
dark.addEventListener('change', draw);
let width = innerWidth;
addEventListener('resize', () => {
  if (innerWidth === width) return;
  width = innerWidth;
  draw();
});
`;
