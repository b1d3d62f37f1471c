import * as ops from '../../../lib/ops';
import type { Operand, Tensor } from '../../../lib/tensor/tensor';
import { NDArray, randomArray } from '../../helpers/ndarray';
import type { Case } from './case';
import { erf, sigmoid, softplus } from './elementwise';

/** Away from kinks, at 0 to the left and to the right, and far out where naive formulas overflow. */
function activation(name: string, run: (x: Operand) => Tensor, f: (x: number) => number, far = true): Case {
  return {
    name,
    samples: [
      {
        title: 'a matrix',
        inputs: [randomArray([3, 4], 110, -2, 2)],
        run: (x) => run(x),
        reference: (x) => x.map(f),
        // Products of a few factors with sums that cancel near a zero: relative to 1 as well.
        errors: (x) => x.map((value) => 16 * Math.abs(f(value)) + 2),
      },
      ...(far
        ? [
            {
              title: 'far out',
              inputs: [new NDArray([7], [0, 40, -40, 1e4, -1e4, Infinity, NaN])],
              run: (x: Tensor) => run(x),
              reference: (x: NDArray) => x.map(f),
              ulps: 32,
              gradient: false,
            },
          ]
        : []),
    ],
  };
}

const clampOf = (x: number, low: number, high: number): number =>
  Number.isNaN(x) ? NaN : Math.min(Math.max(x, low), high);
const gaussian = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
const elu = (x: number, alpha: number): number => (x > 0 ? x : alpha * Math.expm1(x));

export const activationCases: readonly Case[] = [
  activation(
    'clamp',
    (x) => ops.clamp(x, { min: -0.77, max: 1.13 }),
    (x) => clampOf(x, -0.77, 1.13),
  ),
  activation(
    'leakyRelu',
    (x) => ops.leakyRelu(x, { negativeSlope: 0.2 }),
    (x) => (x > 0 ? x : 0.2 * x),
  ),
  activation(
    'elu',
    (x) => ops.elu(x, { alpha: 0.7 }),
    (x) => elu(x, 0.7),
  ),
  activation('selu', ops.selu, (x) => 1.0507009873554805 * elu(x, 1.6732632423543772)),
  activation('gelu', (x) => ops.gelu(x), gaussian),
  activation(
    'gelu by tanh',
    (x) => ops.gelu(x, { approximate: 'tanh' }),
    (x) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  ),
  activation('silu', ops.silu, (x) => x * sigmoid(x)),
  activation('mish', ops.mish, (x) => x * Math.tanh(softplus(x))),
  activation('relu6', ops.relu6, (x) => clampOf(x, 0, 6)),
  activation(
    'hardtanh',
    (x) => ops.hardtanh(x),
    (x) => clampOf(x, -1, 1),
  ),
  activation('hardsigmoid', ops.hardsigmoid, (x) => clampOf(x + 3, 0, 6) / 6),
  activation('hardswish', ops.hardswish, (x) => (x * clampOf(x + 3, 0, 6)) / 6),
  activation('softsign', ops.softsign, (x) => x / (1 + Math.abs(x))),
  activation('logSigmoid', ops.logSigmoid, (x) => -softplus(-x)),
];
