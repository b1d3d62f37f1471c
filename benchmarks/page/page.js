// Draws `data` (page.ts) by uPlot. Points of a group share a colour; the nearest one is named below its plot.
const style = getComputedStyle(document.documentElement);
const ink = style.getPropertyValue('--quiet').trim();
const grid = style.getPropertyValue('--line').trim();
const lightness = style.getPropertyValue('--point-lightness').trim();
const names = [
  ...new Set([...data.rooflines, ...data.ratios].flatMap(({ groups }) => groups.map(({ group }) => group))),
];
/** A group has one colour in all plots; those of neighbours are a golden angle apart. */
const colourOf = (group) => `hsl(${(215 + 137.508 * names.indexOf(group)) % 360} 70% ${lightness})`;

function plot(title, groups, lines, options) {
  const figure = document.createElement('figure');
  const caption = Object.assign(document.createElement('figcaption'), { textContent: title });
  const read = Object.assign(document.createElement('div'), { className: 'read' });
  document.getElementById('plots').append(figure);
  figure.append(caption);
  const points = groups
    .flatMap(({ points: own }, group) => own.map((point) => ({ ...point, group })))
    .concat(lines.points);
  points.sort((a, b) => a.x - b.x);
  const series = groups.map((_, group) => points.map((point) => (point.group === group ? point.y : null)));
  const axis = (label) => ({ label, stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { stroke: grid } });
  new uPlot(
    {
      width: figure.clientWidth,
      height: 420,
      scales: { x: { time: false, ...options.x }, y: { distr: 3, ...options.y } },
      axes: [{ ...axis(options.xLabel), ...options.xAxis }, axis(options.yLabel)],
      series: [
        { label: options.xLabel, value: (_, x) => (x === null ? '' : options.xValue(x)) },
        ...groups.map(({ group }) => {
          const stroke = colourOf(group);
          return { label: group, stroke, paths: () => null, points: { show: true, size: 6, fill: stroke, stroke } };
        }),
        ...lines.series.map(({ label, y }) => ({
          label,
          stroke: ink,
          width: 1.5,
          spanGaps: true,
          points: { show: false },
          y,
        })),
      ],
      cursor: { drag: { x: true, y: true, uni: 20 } },
      legend: { live: false },
      hooks: {
        setCursor: [
          (u) => {
            const { left, top } = u.cursor;
            let [nearest, least] = [null, 30 ** 2];
            for (const point of points) {
              if (point.name === undefined || !u.series[point.group + 1].show) continue;
              const distance = (u.valToPos(point.x, 'x') - left) ** 2 + (u.valToPos(point.y, 'y') - top) ** 2;
              if (distance < least) [nearest, least] = [point, distance];
            }
            read.textContent = nearest === null ? '' : `${nearest.name}: ${options.tell(nearest)}`;
          },
        ],
      },
    },
    [points.map(({ x }) => x), ...series, ...lines.series.map(({ y }) => points.map((point) => y(point.x)))],
    figure,
  );
  figure.append(read);
}

for (const { title, peak, bandwidth, groups } of data.rooflines) {
  const all = groups.flatMap(({ points }) => points.map(({ x }) => x));
  const [low, high] = [Math.min(...all) / 2, Math.max(...all) * 2];
  // The roof bends where both limits meet.
  const corners = [low, peak / bandwidth, high]
    .filter((x) => x >= low && x <= high)
    .map((x) => ({ x, y: null, group: -1 }));
  plot(
    title,
    groups,
    { points: corners, series: [{ label: 'roof', y: (x) => Math.min(peak, bandwidth * x) }] },
    {
      x: { distr: 3 },
      xLabel: 'operations per byte',
      yLabel: 'GFLOP/s',
      xValue: (x) => x.toPrecision(3),
      tell: ({ x, y }) =>
        `${y.toPrecision(3)} GFLOP/s, ${((100 * y) / Math.min(peak, bandwidth * x)).toFixed(0)} % of the roof`,
    },
  );
}

for (const { title, groups } of data.ratios) {
  // Names of small groups need room.
  const least = groups.reduce((sum, { points }) => sum + points.length, 0) / 40;
  let next = 0;
  const placed = groups.map(({ group, points }) => {
    const start = next;
    next += Math.ceil(Math.max(points.length, least));
    return { group, points: points.map((point, i) => ({ ...point, x: start + i })) };
  });
  const starts = placed.map(({ group, points: [first] }) => ({ group, x: first.x - 0.5 }));
  const ends = [0, next - 1].map((x) => ({ x, y: null, group: -1 }));
  plot(
    title,
    placed,
    { points: ends, series: [{ label: 'as fast', y: () => 1 }] },
    {
      x: { range: [-1, next] },
      xLabel: '',
      // Lines and names where groups begin.
      xAxis: {
        size: 95,
        rotate: -50,
        space: 0,
        splits: () => starts.map(({ x }) => x),
        values: () => starts.map(({ group }) => group),
      },
      yLabel: 'our time / theirs',
      xValue: (x) => String(x),
      tell: ({ y }) => `${y.toFixed(2)} of its time`,
    },
  );
}
