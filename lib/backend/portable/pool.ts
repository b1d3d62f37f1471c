import { type BoundView, type Call, type FloatArray, floatTypes, type Kernel, type Task, taskOver } from './kernel';

/** Sizes of a pooling over planes of h x w. */
interface Geometry {
  readonly planes: number;
  readonly h: number;
  readonly w: number;
  readonly oh: number;
  readonly ow: number;
  readonly kh: number;
  readonly kw: number;
  readonly strideH: number;
  readonly strideW: number;
  readonly paddingH: number;
  readonly paddingW: number;
  readonly dilationH: number;
  readonly dilationW: number;
}

export const maxPool2d: Kernel = (call: Call) => maxPool(call, false);
export const maxPool2dIndices: Kernel = (call: Call) => maxPool(call, true);

function maxPool(call: Call, wantsIndices: boolean): Task {
  call.checkCounts(1, 1, 8);
  const [x, out] = [call.inputs[0]!, call.outputs[0]!];
  call.checkDType(x, floatTypes, 'the input');
  call.checkDType(out, [wantsIndices ? 'int32' : x.dtype], 'the output');
  const geometry = readGeometry(call, x, out, call.integer(6, 1), call.integer(7, 1));
  const { planes, h, w, oh, ow } = geometry;
  return taskOver(planes, 2 * oh * ow * geometry.kh * geometry.kw, (from, to) => {
    const values = x.floats;
    for (let plane = from; plane < to; plane++) {
      const source = x.offset + plane * h * w;
      const target = out.offset + plane * oh * ow;
      if (wantsIndices) writeIndices(geometry, values, source, out.integers, target);
      else writeMaxima(geometry, values, source, out.floats, target);
    }
  });
}

function writeIndices(geometry: Geometry, x: FloatArray, source: number, out: Int32Array, target: number): void {
  for (let i = 0; i < geometry.oh; i++)
    for (let j = 0; j < geometry.ow; j++) out[target++] = Math.max(0, indexOfMaximum(geometry, x, source, i, j));
}

function writeMaxima(geometry: Geometry, x: FloatArray, source: number, out: FloatArray, target: number): void {
  for (let i = 0; i < geometry.oh; i++)
    for (let j = 0; j < geometry.ow; j++) {
      const index = indexOfMaximum(geometry, x, source, i, j);
      out[target++] = index < 0 ? -Infinity : x[source + index]!;
    }
}

/** Within the plane; -1 where the window holds nothing but padding. */
function indexOfMaximum(geometry: Geometry, x: FloatArray, source: number, i: number, j: number): number {
  const { h, w, kh, kw, dilationH, dilationW } = geometry;
  const top = i * geometry.strideH - geometry.paddingH;
  const left = j * geometry.strideW - geometry.paddingW;
  let best = -Infinity;
  let index = -1;
  for (let a = 0; a < kh; a++) {
    const row = top + a * dilationH;
    if (row < 0 || row >= h) continue;
    for (let b = 0; b < kw; b++) {
      const column = left + b * dilationW;
      if (column < 0 || column >= w) continue;
      const at = row * w + column;
      const value = x[source + at]!;
      if (value !== value) return at;
      if (value > best || index < 0) {
        best = value;
        index = at;
      }
    }
  }
  return index;
}

export const avgPool2d: Kernel = (call: Call) => {
  call.checkCounts(1, 1, 7);
  const [x, out] = [call.inputs[0]!, call.outputs[0]!];
  call.checkDType(x, floatTypes, 'the input');
  call.checkDType(out, [x.dtype], 'the output');
  const geometry = readGeometry(call, x, out, 1, 1);
  const countsPadding = call.integer(6, 0) !== 0;
  const { planes, h, w, oh, ow } = geometry;
  return taskOver(planes, 2 * oh * ow * geometry.kh * geometry.kw, (from, to) => {
    for (let plane = from; plane < to; plane++)
      averagePlane(
        geometry,
        countsPadding,
        x.floats,
        x.offset + plane * h * w,
        out.floats,
        out.offset + plane * oh * ow,
      );
  });
};

function averagePlane(
  geometry: Geometry,
  countsPadding: boolean,
  x: FloatArray,
  source: number,
  out: FloatArray,
  target: number,
): void {
  const { h, w, oh, ow, kh, kw, strideH, strideW, paddingH, paddingW } = geometry;
  for (let i = 0; i < oh; i++) {
    const top = Math.max(0, i * strideH - paddingH);
    const bottom = Math.min(h, i * strideH - paddingH + kh);
    for (let j = 0; j < ow; j++) {
      const left = Math.max(0, j * strideW - paddingW);
      const right = Math.min(w, j * strideW - paddingW + kw);
      let sum = 0;
      for (let row = top; row < bottom; row++)
        for (let at = source + row * w + left; at < source + row * w + right; at++) sum += x[at]!;
      const count = countsPadding ? kh * kw : Math.max(0, bottom - top) * Math.max(0, right - left);
      out[target++] = count === 0 ? 0 : sum / count;
    }
  }
}

export const avgPool2dInputGrad: Kernel = (call: Call) => {
  call.checkCounts(1, 1, 7);
  const [g, out] = [call.inputs[0]!, call.outputs[0]!];
  call.checkDType(g, floatTypes, 'the gradient');
  call.checkDType(out, [g.dtype], 'the output');
  const geometry = readGeometry(call, out, g, 1, 1);
  const countsPadding = call.integer(6, 0) !== 0;
  const { planes, h, w, oh, ow } = geometry;
  return taskOver(planes, h * w + 2 * oh * ow * geometry.kh * geometry.kw, (from, to) => {
    const sums = call.workspace.scratch(0, h * w);
    for (let plane = from; plane < to; plane++) {
      sums.fill(0, 0, h * w);
      spreadPlane(geometry, countsPadding, g.floats, g.offset + plane * oh * ow, sums);
      const target = out.offset + plane * h * w;
      const result = out.floats;
      for (let at = 0; at < h * w; at++) result[target + at] = sums[at]!;
    }
  });
};

function spreadPlane(
  geometry: Geometry,
  countsPadding: boolean,
  g: FloatArray,
  source: number,
  sums: Float64Array,
): void {
  const { h, w, oh, ow, kh, kw, strideH, strideW, paddingH, paddingW } = geometry;
  for (let i = 0; i < oh; i++) {
    const top = Math.max(0, i * strideH - paddingH);
    const bottom = Math.min(h, i * strideH - paddingH + kh);
    for (let j = 0; j < ow; j++) {
      const left = Math.max(0, j * strideW - paddingW);
      const right = Math.min(w, j * strideW - paddingW + kw);
      const count = countsPadding ? kh * kw : (bottom - top) * (right - left);
      const share = g[source++]! / count;
      for (let row = top; row < bottom; row++)
        for (let at = row * w + left; at < row * w + right; at++) sums[at]! += share;
    }
  }
}

function readGeometry(call: Call, x: BoundView, out: BoundView, dilationH: number, dilationW: number): Geometry {
  call.checkRank(x, 4, 'the input');
  call.checkRank(out, 4, 'the output');
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const [oh, ow] = [out.shape[2]!, out.shape[3]!];
  call.checkShape(out, [n, c, oh, ow], 'the output');
  const [kh, kw] = [call.integer(0, 1), call.integer(1, 1)];
  const [strideH, strideW] = [call.integer(2, 1), call.integer(3, 1)];
  const [paddingH, paddingW] = [call.integer(4, 0), call.integer(5, 0)];
  for (const [size, kernel, stride, padding, dilation, result] of [
    [h, kh, strideH, paddingH, dilationH, oh],
    [w, kw, strideW, paddingW, dilationW, ow],
  ] as const) {
    const room = size + 2 * padding - dilation * (kernel - 1) - 1;
    call.check(room >= 0, `a window of ${kernel} does not fit into ${size} elements with padding ${padding}`);
    call.check(Math.floor(room / stride) + 1 === result, `the output has the size ${result}`);
  }
  const planes = x.size === 0 && out.size === 0 ? 0 : n * c;
  return { planes, h, w, oh, ow, kh, kw, strideH, strideW, paddingH, paddingW, dilationH, dilationW };
}
