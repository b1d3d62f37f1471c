import fc from 'fast-check';
import { backward, grad, gradients, hessian, hvp, jvp, valueAndGrad, vjp } from '../../lib/autodiff';
import { DTypeError, GradientError, ShapeError, ValueError } from '../../lib/errors';
import { readDataSync, readItemSync } from '../../lib/graph/reading';
import { noGrad } from '../../lib/graph/modes';
import { onesLike, tensor, zeros } from '../../lib/ops/create';
import { add, cos, exp, mul, pow, sin, sub, tanh } from '../../lib/ops/elementwise';
import { detach } from '../../lib/ops/identity';
import { matmul } from '../../lib/ops/matmul';
import { sum } from '../../lib/ops/reduce';
import { reshape, slice } from '../../lib/ops/shape';
import { Variable, type Tensor } from '../../lib/tensor/tensor';
import { onEachBackend } from '../helpers/backends';

const float64 = (values: number[], shape?: number[]): Tensor =>
  tensor(Float64Array.from(values), shape === undefined ? {} : { shape });
const numbers = (t: Tensor): number[] => Array.from(readDataSync(t) as Float64Array);

function expectClose(actual: Tensor, expected: number[], relative = 1e-12): void {
  const values = numbers(actual);
  expect(values.length).toBe(expected.length);
  values.forEach((x, i) =>
    expect(Math.abs(x - expected[i]!)).toBeLessThanOrEqual(relative * Math.max(1, Math.abs(expected[i]!))),
  );
}

onEachBackend('transforms', () => {
  test('grad, again and again: the derivatives of sine', () => {
    const derivatives = [Math.sin, Math.cos, (x: number) => -Math.sin(x), (x: number) => -Math.cos(x), Math.sin];
    let f: (x: Tensor) => Tensor = (x) => sum(sin(x));
    for (const derivative of derivatives.slice(1)) {
      const previous = f;
      const g = grad((x) => previous(x));
      expectClose(g(float64([0.3])), [derivative(0.3)]);
      f = (x) => sum(g(x));
    }
  });

  test('valueAndGrad gives the value and one gradient an input', () => {
    const { value, grads } = valueAndGrad((a, b) => sum(mul(mul(a, a), b)))(float64([1, 2]), float64([3, 4]));
    expect(readItemSync(value)).toBe(19);
    expect(grads.map(numbers)).toEqual([
      [6, 16],
      [1, 4],
    ]);
  });

  test('inner and outer derivatives do not mix (perturbation confusion)', () => {
    // d/dx [x · d/dy (x + y)] = d/dx [x · 1] = 1, not 2.
    const inner = (x: Tensor): Tensor => grad((y) => sum(add(x, y)))(float64([1]));
    expectClose(grad((x) => sum(mul(x, inner(x))))(float64([1])), [1]);
    const nested = jvp(
      (x) => mul(x, jvp((y) => add(x, y), [float64([1])], [float64([1])]).tangent),
      [float64([1])],
      [float64([1])],
    );
    expectClose(nested.tangent, [1]);
  });

  test('vjp and jvp are transposes of each other', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 6, maxLength: 6 }),
        fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 6, maxLength: 6 }),
        fc.array(fc.double({ min: -2, max: 2, noNaN: true }), { minLength: 4, maxLength: 4 }),
        (x, t, g) => {
          const f = (a: Tensor): Tensor => tanh(matmul(a, float64([0.5, -1, 2, 0.3, 1, -0.7], [3, 2])));
          const [point, tangent, cotangent] = [float64(x, [2, 3]), float64(t, [2, 3]), float64(g, [2, 2])];
          const forward = readItemSync(sum(mul(jvp((a) => f(a), [point], [tangent]).tangent, cotangent)));
          const [back] = vjp((a) => f(a), point).pullback(cotangent);
          const reverse = readItemSync(sum(mul(back!, tangent)));
          expect(Math.abs(forward - reverse)).toBeLessThanOrEqual(1e-13 * (1 + Math.abs(forward)) * 100);
        },
      ),
      { numRuns: 30 },
    );
  });

  test('the Hessian of a quadratic form is its matrix; of a sum of cubes, 6x on the diagonal', () => {
    const matrix = float64([2, 1, 1, 3], [2, 2]);
    const quadratic = (x: Tensor): Tensor => mul(0.5, sum(mul(x, reshape(matmul(matrix, reshape(x, [2, 1])), [2]))));
    expectClose(hessian(quadratic, float64([0.3, -4])), [2, 1, 1, 3]);
    expectClose(
      hessian((x) => sum(pow(x, 3)), float64([1, 2, -1])),
      [6, 0, 0, 0, 12, 0, 0, 0, -6],
    );
    expectClose(
      hessian((x) => sum(x), float64([1, 2])),
      [0, 0, 0, 0],
    );
    expect(hessian((x) => sum(exp(x)), zeros([0], { dtype: 'float64' })).shape).toEqual([0, 0]);
  });

  test('hvp is the Hessian times the vectors, over several inputs', () => {
    const f = (a: Tensor, b: Tensor): Tensor => sum(mul(exp(a), sin(b)));
    const [a, b, u, v] = [float64([0.1, -0.5]), float64([0.7, 2]), float64([1, 2]), float64([-1, 0.5])];
    const { value, grads, products } = hvp((x, y) => f(x, y), [a, b], [u, v]);
    const [av, bv, uv, vv] = [a, b, u, v].map(numbers) as [number[], number[], number[], number[]];
    expectClose(value, [av.reduce((s, x, i) => s + Math.exp(x) * Math.sin(bv[i]!), 0)]);
    expectClose(
      grads[0]!,
      av.map((x, i) => Math.exp(x) * Math.sin(bv[i]!)),
    );
    expectClose(
      products[0]!,
      av.map((x, i) => Math.exp(x) * (Math.sin(bv[i]!) * uv[i]! + Math.cos(bv[i]!) * vv[i]!)),
    );
    expectClose(
      products[1]!,
      av.map((x, i) => Math.exp(x) * (Math.cos(bv[i]!) * uv[i]! - Math.sin(bv[i]!) * vv[i]!)),
    );
  });

  test('the saddle x² - y² has curvature of both signs', () => {
    const saddle = (x: Tensor): Tensor => sum(mul(mul(x, x), float64([1, -1])));
    expectClose(hessian(saddle, float64([0, 0])), [2, 0, 0, -2]);
    expectClose(grad((x) => saddle(x))(float64([0, 0])), [0, 0]);
  });

  test('results need no gradient unless something the user holds does', () => {
    const x = float64([1]);
    expect(grad((y) => sum(mul(y, y)))(x).requiresGrad).toBe(false);
    const weight = new Variable(float64([3]), { requiresGrad: true });
    const slope = grad((y) => sum(mul(mul(y, y), weight)))(x);
    expect(slope.requiresGrad).toBe(true);
    sum(slope).backward();
    expect(numbers(weight.grad!)).toEqual([2]);
  });

  test('transforms differentiate under noGrad, detach stops them', () => {
    expect(numbers(noGrad(() => grad((x) => sum(mul(x, x)))(float64([3]))))).toEqual([6]);
    expect(numbers(grad((x) => sum(mul(x, detach(x))))(float64([3])))).toEqual([3]);
  });

  test('a function of an unused input has gradient zero', () => {
    const { grads } = valueAndGrad((a) => sum(cos(a)))(float64([0]), float64([1, 2]));
    expect(grads.map(numbers)).toEqual([[-0], [0, 0]]);
  });
});

onEachBackend('backward and gradients', () => {
  test('accumulates into leaves and Variables, broadcast dims summed', () => {
    const bias = new Variable(float64([1, 2]), { requiresGrad: true });
    const x = float64([1, 2, 3, 4], [2, 2]);
    backward(sum(mul(add(x, bias), 3)));
    backward(sum(bias.capture()));
    expect(numbers(bias.grad!)).toEqual([7, 7]);
  });

  test('a tensor of more than one element needs a gradient to start from', () => {
    const x = tensor([1, 2], { requiresGrad: true });
    expect(() => mul(x, 2).backward()).toThrow(GradientError);
    expect(() => mul(x, 2).backward(tensor([1, 2, 3]))).toThrow(ShapeError);
    mul(x, 2).backward(tensor([1, 10]));
    expect(numbers(x.grad!)).toEqual([2, 20]);
  });

  test('what has no gradient says so', () => {
    expect(() => sum(tensor([1])).backward()).toThrow(GradientError);
    expect(() => new Variable(tensor(new Int32Array([1])), { requiresGrad: true })).toThrow(DTypeError);
    expect(() => grad((x) => x)(tensor([1, 2]))).toThrow(ShapeError);
    expect(() => grad((x) => sum(x))(tensor(new Int32Array([1])))).toThrow(DTypeError);
    expect(() => jvp((x) => x, [tensor([1])], [])).toThrow(ValueError);
    expect(() => jvp((x) => x, [tensor([1])], [tensor([1, 2])])).toThrow(ShapeError);
  });

  test('gradients() refuses an unused input unless told, and reaches intermediates', () => {
    const x = tensor([2], { requiresGrad: true });
    const other = tensor([1], { requiresGrad: true });
    const hidden = mul(x, 3);
    const loss = sum(mul(hidden, hidden));
    expect(() => gradients([loss], [other], undefined, { retainGraph: true })).toThrow(GradientError);
    const found = gradients([loss], [x, hidden, other], undefined, { allowUnused: true });
    expect(found.map((g) => (g === null ? null : numbers(g)))).toEqual([[36], [12], null]);
    expect(() => loss.backward()).toThrow('freed');
  });

  test('parts of one tensor add up', () => {
    const x = tensor([1, 2, 3, 4], { requiresGrad: true });
    sum(sub(slice(x, [[0, 3]]), slice(x, [[1, 4]]))).backward();
    expect(numbers(x.grad!)).toEqual([1, 0, 0, -1]);
    expect(onesLike(x).shape).toEqual([4]);
  });
});
