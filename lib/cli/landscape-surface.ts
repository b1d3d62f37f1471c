import { classifyCriticalPoint, type Surface } from '../landscape';
import { tensor } from '../ops/create';
import { Variable } from '../tensor/tensor';
import { gridOf, show } from './figures';
import type { Finding } from './landscape';

/** The critical points of a surface, each looked at anew. */
export async function reportOfSurface(name: string, surface: Surface): Promise<Finding> {
  const { title, formula, criticalPoints, loss } = surface;
  const found = [];
  for (const { point } of criticalPoints) {
    const x = new Variable(tensor([...point], { dtype: 'float64' }), { requiresGrad: true });
    found.push(await classifyCriticalPoint(() => loss(x.capture()), [x]));
  }
  const placeOf = (point: readonly number[]): string => `(${point.map(show).join(', ')})`;
  const verdict = found.map(({ explanation }, i) => `At ${placeOf(criticalPoints[i]!.point)}: ${explanation}.`);
  const flat = criticalPoints[0]!.point.length === 2;
  const figures = flat
    ? [
        {
          kind: 'contours' as const,
          title: 'Bands of equal loss',
          xLabel: 'x',
          yLabel: 'y',
          ...gridOf(surface),
          paths: [],
          marks: found.map(({ kind }, i) => {
            const [x, y] = criticalPoints[i]!.point as [number, number];
            return { label: kind, point: [x, y] as const };
          }),
        },
      ]
    : [];
  const lines = found.map(({ kind, evidence, loss: value, gradientNorm, eigenvalues, tolerance }, i) => [
    placeOf(criticalPoints[i]!.point),
    kind,
    evidence,
    show(value),
    show(gradientNorm),
    eigenvalues.map(show).join(', '),
    show(tolerance),
  ]);
  const head = ['point', 'kind', 'evidence', 'loss', 'gradient', 'eigenvalues', 'zero up to'];
  return {
    report: {
      title: `${title}: ${formula}`,
      verdict,
      sections: [
        { heading: 'Critical points', figures, tables: [{ head, lines }] },
        { heading: 'Made by', text: [`npx saddlepoint landscape ${name}`] },
      ],
    },
    numbers: {
      surface: name,
      points: found.map(({ kind, evidence, loss: value, gradientNorm, eigenvalues, tolerance }, i) => ({
        point: criticalPoints[i]!.point,
        ...{ kind, evidence, loss: value, gradientNorm, eigenvalues, tolerance },
      })),
    },
  };
}
