import { DataLoader } from '../data/loader';
import {
  classifyCriticalPoint,
  hessianSpectrum,
  hessianTrace,
  lineSlice,
  planeSlice,
  projectPath,
  randomDirections,
  sharpness,
  spectralDensity,
  type HessianSpectrum,
  type LineSlice,
  type PlaneSlice,
  type ProjectedPath,
} from '../landscape';
import type { Module } from '../nn/module';
import { crossEntropy } from '../nn/losses/functional';
import { Generator } from '../ops/random';
import type { Section } from '../page/report';
import type { Tensor, Variable } from '../tensor/tensor';
import { show } from './figures';
import type { Finding, LandscapeArguments } from './landscape';
import { loadRun } from './runs';
import { readSnapshots } from './snapshots';

/** Random vectors of the trace, and of the density with so many Lanczos steps each. */
const TRACE_PROBES = 16;
const DENSITY_PROBES = 2;
const DENSITY_STEPS = 40;
const SMALLEST = 2;

/** Where the training in a folder has come to. Throws DataError for a folder that holds none. */
export async function reportOfRun(options: LandscapeArguments, tell: (text: string) => void): Promise<Finding> {
  const { where, k, maxProducts, points, seed, images } = options;
  const { model, modelName, loss, dataset } = load(options);
  const params = [...model.parameters()];
  const size = params.reduce((sum, parameter) => sum + parameter.size, 0);
  const generator = (): Generator => new Generator(seed);
  const counted =
    (what: string) => (progress: { products?: number; done?: number; maxProducts?: number; total?: number }) =>
      tell(`${what}: ${progress.products ?? progress.done} of ${progress.maxProducts ?? progress.total}`);

  const point = await classifyCriticalPoint(loss, params, {
    ...{ samples: 0, maxProducts, generator: generator() },
    onProgress: counted('kind of point, Hessian-vector products'),
  });
  const spectrum = await hessianSpectrum(loss, params, {
    ...{ k: Math.min(k, size - SMALLEST), smallest: SMALLEST, maxProducts, generator: generator() },
    onProgress: counted('eigenvalues, Hessian-vector products'),
  });
  const trace = await hessianTrace(loss, params, {
    ...{ probes: TRACE_PROBES, generator: generator() },
    onProgress: counted('trace, Hessian-vector products'),
  });
  const density = await spectralDensity(loss, params, {
    ...{ probes: DENSITY_PROBES, steps: DENSITY_STEPS, generator: generator() },
    onProgress: counted('density, Hessian-vector products'),
  });
  const sharp = await sharpness(loss, params);
  const onProgress = counted('slices, evaluations');
  const directions: readonly [string, readonly Tensor[]][] = [
    ['largest eigenvalue', spectrum.largest[0]!.vector],
    ['smallest eigenvalue', spectrum.smallest[0]!.vector],
  ];
  const slices: [string, LineSlice][] = [];
  for (const [name, direction] of directions)
    slices.push([name, await lineSlice(loss, params, direction, { points: 2 * points + 1, onProgress })]);
  const random = await randomDirections(params, { generator: generator() });
  const plane = await planeSlice(loss, params, random, { points, onProgress });
  const path = await pathOf(where, model, params, loss, points, onProgress);

  const top = spectrum.largest[0]!.value;
  const verdict = [
    `${modelName}, ${size} parameters, ${images} training images of ${dataset}: ${point.explanation}.`,
    `Along its steepest direction plain gradient descent is stable up to a learning rate of ${show(2 / top)} (2 / ${show(top)}).`,
    spectrum.converged
      ? `${spectrum.products} Hessian-vector products gave ${spectrum.largest.length} largest and ${spectrum.smallest.length} smallest eigenvalues.`
      : `After ${spectrum.products} Hessian-vector products some eigenvalues had not converged: their residuals are in the table.`,
  ];
  return {
    report: {
      title: `The loss surface around ${path === null ? 'the end of a training' : 'a training'}: ${modelName} on ${dataset}`,
      verdict,
      sections: [
        spectrumSection(spectrum, trace, sharp),
        densitySection(density),
        slicesSection(slices),
        planeSection(plane),
        ...(path === null ? [] : [pathSection(path)]),
        { heading: 'Made by', text: [`npx saddlepoint landscape ${where} --images ${images} --seed ${seed}`] },
      ],
    },
    numbers: {
      run: where,
      parameters: size,
      kind: point.kind,
      loss: point.loss,
      gradientNorm: point.gradientNorm,
      largest: spectrum.largest.map(({ value, residual }) => ({ value, residual })),
      smallest: spectrum.smallest.map(({ value, residual }) => ({ value, residual })),
      converged: spectrum.converged,
      products: spectrum.products,
      trace: trace.trace,
      sharpness: sharp.sharpness,
    },
  };
}

function load({ where, data, images }: LandscapeArguments) {
  const { model, modelName, dataset } = loadRun(where, data, 'a surface');
  model.eval();
  const indices = dataset.train.slice(0, images);
  const [batch] = new DataLoader(dataset, { indices, batchSize: indices.length });
  return {
    model,
    modelName,
    dataset: dataset.name,
    loss: () => crossEntropy(model.forward(batch!.images), batch!.labels),
  };
}

interface Path extends ProjectedPath {
  readonly plane: PlaneSlice;
}

async function pathOf(
  folder: string,
  model: Module,
  params: readonly Variable[],
  loss: () => Tensor,
  points: number,
  onProgress: (progress: { done: number; total: number }) => void,
): Promise<Path | null> {
  const snapshots = readSnapshots(folder, model);
  if (snapshots === null || snapshots.length < 3) return null;
  const projected = await projectPath(params, snapshots);
  const ranges = [0, 1].map((axis) => {
    const own = projected.coordinates.map((coordinate) => coordinate[axis]!);
    const [least, most] = [Math.min(...own), Math.max(...own)];
    const margin = 0.2 * (most - least);
    return [least - margin, most + margin] as const;
  }) as [readonly [number, number], readonly [number, number]];
  const origin = snapshots.at(-1)!;
  return {
    ...projected,
    plane: await planeSlice(loss, params, projected.directions, { ranges, origin, points, onProgress }),
  };
}

function spectrumSection(
  { largest, smallest, bound }: HessianSpectrum,
  { trace, standardError }: { trace: number; standardError: number },
  { sharpness: rise, loss }: { sharpness: number; loss: number },
): Section {
  const lines = [
    ...largest.map((pair, i) => [`largest ${i + 1}`, pair] as const),
    ...smallest.map((pair, i) => [`smallest ${i + 1}`, pair] as const),
  ].map(([name, { value, residual }]) => [name, show(value), show(residual)]);
  return {
    heading: 'Curvature',
    text: [
      `Eigenvalues of the Hessian; what rounding may have done to them is ${show(bound)}. Their sum, the trace, is ${show(trace)} ± ${show(standardError)}.`,
      `Within a distance of 0.05 the loss rises from ${show(loss)} by at least ${show(rise)}.`,
    ],
    tables: [{ head: ['eigenvalue', 'value', 'residual'], lines }],
  };
}

function densitySection({ lambda, density }: { lambda: Float64Array; density: Float64Array }): Section {
  return {
    heading: 'Density of the eigenvalues',
    text: ['The share of all eigenvalues per unit. Most of a network’s are near zero: directions that hardly matter.'],
    figures: [
      {
        kind: 'lines',
        title: 'Spectral density',
        xLabel: 'eigenvalue',
        yLabel: 'density',
        isLogarithmic: true,
        x: [...lambda],
        series: [{ label: 'density', y: [...density], color: 0 }],
      },
    ],
    tables: [],
  };
}

function slicesSection(slices: readonly (readonly [string, LineSlice])[]): Section {
  return {
    heading: 'Along eigenvectors',
    figures: [
      {
        kind: 'lines',
        title: 'Loss along the vectors of the extreme eigenvalues',
        xLabel: 'distance',
        yLabel: 'loss',
        x: [...slices[0]![1].alpha],
        series: slices.map(([label, { loss }], color) => ({ label, y: [...loss].map(finite), color })),
      },
    ],
    tables: [
      {
        head: ['direction', 'loss at -1', 'here', 'loss at 1'],
        lines: slices.map(([name, { loss }]) => [
          name,
          ...[0, loss.length >> 1, loss.length - 1].map((i) => show(loss[i]!)),
        ]),
      },
    ],
  };
}

function planeSection(plane: PlaneSlice): Section {
  const all = plane.loss.flatMap((row) => [...row]);
  return {
    heading: 'A plane of random directions',
    text: [
      'Two random directions whose filters have the lengths of the weights (Li et al., 2018): at 1 every weight has changed by about its own size.',
    ],
    figures: [
      {
        kind: 'contours',
        title: 'Loss on the plane',
        xLabel: 'first direction',
        yLabel: 'second direction',
        ...gridOfPlane(plane),
        paths: [],
        marks: [{ label: 'here', point: [0, 0] }],
      },
    ],
    tables: [{ head: ['lowest', 'highest'], lines: [[show(Math.min(...all)), show(Math.max(...all))]] }],
  };
}

function pathSection({ coordinates, explained, plane }: Path): Section {
  return {
    heading: 'The path of the training',
    text: [
      `The weights before training and after each epoch, on the plane of their two principal components, which holds ${show(100 * explained[0])} and ${show(100 * explained[1])} % of their variance. Running statistics are those of the end.`,
    ],
    figures: [
      {
        kind: 'contours',
        title: 'Path on bands of equal loss',
        xLabel: 'first component',
        yLabel: 'second component',
        ...gridOfPlane(plane),
        paths: [{ label: 'training', points: coordinates, color: 1 }],
        marks: [
          { label: 'start', point: coordinates[0]! },
          { label: 'end', point: coordinates.at(-1)! },
        ],
      },
    ],
    tables: [
      {
        head: ['epoch', 'first component', 'second component'],
        lines: coordinates.map(([a, b], i) => [String(i), show(a), show(b)]),
      },
    ],
  };
}

function gridOfPlane({ alpha, beta, loss }: PlaneSlice) {
  return { x: [...alpha], y: [...beta], values: loss.map((row) => [...row].map(finite)) };
}

const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
